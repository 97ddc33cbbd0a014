"""What a resumed run continues from, and the differences for which a resume is refused."""

import json
from dataclasses import replace

import pytest

from paddle_impl import checkpoint
from paddle_impl.checkpoint import TrainingState, manifest
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import Pretraining
from paddle_impl.training import ending
from paddle_impl.training.resume import PRECISION, SEED, Start, check_output, find_start
from paddle_impl.training.resume import start_step as continue_after

SCHEDULE = {"max_lr": 0.001, "min_lr": 0.0001, "warmup_rate": 0.5, "decay_steps": 6,
            "style": "cosine"}
WAS = TrainingState(
    step=3, samples=12, seed=1234, order_key="0123456789ab", sample_order="f" * 12,
    tokenizer="c" * 64, global_batch_size=4, schedule=SCHEDULE,
    data={"ids_sha256": ["a" * 64], "eos_token_id": 0},
    world={"world_size": 2, "sharding_degree": 1, "mp_degree": 1}, precision="float32",
    progress={"loss_scale": 1.0, "good_steps": 0, "skipped_steps": 0},
)
MAX_STEPS = 9
HINT = "; to train its weights on something else, start anew with --init_from "


def start_step(max_steps, source, now):
    return continue_after(max_steps, Start(source), now, (SEED, *Pretraining.facts, PRECISION))


@pytest.fixture
def written(tmp_path):
    """written(state, version): output/model_<step>, of which resume reads the state alone."""

    def write(state=WAS, version=2):
        path = tmp_path / "output" / f"model_{state.step}"
        path.mkdir(parents=True)
        values = state.to_json() | {"format_version": version}
        if version == 1:
            for name in ("data", "world", "precision", "progress"):
                del values[name]
        (path / "training_state.json").write_text(json.dumps(values))
        for name in manifest.required(()) - {"training_state.json"}:
            (path / name).write_text("{}")
        if version > 1:
            manifest.write(path)
        return path

    return write


@pytest.fixture
def config(tmp_path):
    def build(**more):
        return PretrainConfig.of(**({
            "model_type": "gpt", "model_name_or_path": "code-mini", "input_dir": "data",
            "output_dir": str(tmp_path / "output"), "max_steps": MAX_STEPS, "device": "cpu",
        } | more))

    return build


def refusal(source, **changes) -> str:
    with pytest.raises(ValueError) as raised:
        start_step(MAX_STEPS, source, replace(WAS, **changes))
    text = str(raised.value)
    assert text.startswith(f"{source} was trained with another ")
    assert text.endswith(f"{HINT}{source}")
    return text


def check(config: PretrainConfig, source) -> None:
    check_output(config.checkpoint, Start(source), "pretraining")


def find(config: PretrainConfig, notes: list[str]):
    return find_start(config.model, config.checkpoint, notes).source


def test_the_same_run_continues_without_a_word(written):
    assert start_step(MAX_STEPS, written(), WAS) == (3, [])
    assert start_step(MAX_STEPS, None, WAS) == (0, [])


@pytest.mark.parametrize(("changes", "told"), [
    ({"seed": 9}, "seed: 1234 there, 9 now (pass --seed 1234)"),
    ({"data": {"ids_sha256": ["b" * 64], "eos_token_id": 0}},
     f"corpus: {'a' * 12} there, {'b' * 12} now (name its data with --input_dir)"),
    ({"data": {"ids_sha256": ["a" * 64, "b" * 64], "eos_token_id": 0}},
     f"corpus: {'a' * 12} there, {'a' * 12} + {'b' * 12} now (name its data with --input_dir)"),
    ({"order_key": "other"}, "order key: 0123456789ab there, other now (--input_dir, --split, "
     "--max_seq_len, --packing, --data_order and the weights of a blend must be as they were)"),
    ({"tokenizer": None}, f"tokenizer: {'c' * 12} there, none now (name its data with"),
    ({"data": {"ids_sha256": ["a" * 64], "eos_token_id": 5}}, "end token: 0 there, 5 now ("),
    ({"global_batch_size": 2}, "global batch size: 4 there, 2 now (pass --global_batch_size 4 to "
     "keep it, with a --micro_batch_size that divides it)"),
    ({"precision": "O1 float16"}, "precision: float32 there, O1 float16 now (leave out --use_amp)"),
])
def test_another_run_is_refused(written, changes, told):
    text = refusal(written(), **changes)
    assert f"another {told}" in text and "; another" not in text


def test_every_difference_is_named_at_once(written):
    text = refusal(
        written(), seed=9, tokenizer="d" * 64, global_batch_size=2, precision="O1 bfloat16",
        order_key="other", data={"ids_sha256": ["b" * 64], "eos_token_id": 5},
        schedule=SCHEDULE | {"max_lr": 1.0},
    )
    parts = text.partition(HINT)[0].partition("another ")[2].split("; another ")
    assert [part.partition(":")[0] for part in parts] == [
        "seed", "corpus", "tokenizer", "end token", "global batch size", "precision"]


def test_mixed_precision_is_mended_by_its_flags(written):
    text = refusal(written(replace(WAS, precision="O2 bfloat16")))
    assert ("precision: O2 bfloat16 there, float32 now (pass --use_amp --amp_level O2 --dtype "
            "bfloat16)") in text


def test_fewer_processes_with_the_default_batch(written):
    text = refusal(written(), global_batch_size=2,
                   world={"world_size": 1, "sharding_degree": 1, "mp_degree": 1})
    assert ("global batch size: 4 there, 2 now (2 processes there, 1 process now: pass "
            "--global_batch_size 4 to keep it, with a --micro_batch_size that divides it)") in text


@pytest.mark.parametrize(("was", "now"), [
    (["a" * 64, None], ["a" * 64, "b" * 64]), ([None, None], ["a" * 64, "b" * 64]),
])
def test_a_corpus_without_a_hash_goes_by_the_order_key(written, was, now):
    source = written(replace(WAS, data={"ids_sha256": was, "eos_token_id": 0}))
    data = {"ids_sha256": now, "eos_token_id": 0}
    assert start_step(MAX_STEPS, source, replace(WAS, data=data)) == (3, [])
    assert "another order key" in refusal(source, data=data, order_key="other")


def test_known_hashes_differ_beside_an_unknown_one(written):
    source = written(replace(WAS, data={"ids_sha256": ["a" * 64, None], "eos_token_id": 0}))
    told = refusal(source, data={"ids_sha256": ["b" * 64, None], "eos_token_id": 0})
    assert "another corpus" in told


@pytest.mark.parametrize(("size", "sharding", "model", "told"), [
    (1, 1, 1, "1 process: the sample order continues, dropout draws other masks"),
    (2, 2, 1, "2 processes with --sharding_degree 2: the sample order continues"),
    (4, 1, 2, "4 processes with --mp_degree 2: the sample order continues"),
    (8, 2, 2, "8 processes with --sharding_degree 2 --mp_degree 2: the sample order continues, "
              "dropout draws other masks"),
])
def test_processes_may_come_and_go(written, size, sharding, model, told):
    source = written()
    now = replace(WAS, world={"world_size": size, "sharding_degree": sharding, "mp_degree": model})
    assert start_step(MAX_STEPS, source, now) == (
        3, [f"{source} was trained by 2 processes, now {told}"])


def test_another_schedule_is_told_with_old_and_new(written):
    source = written()
    now = replace(WAS, schedule=SCHEDULE | {"max_lr": 0.01, "decay_steps": 90})
    assert start_step(MAX_STEPS, source, now) == (3, [
        f"the settings are not those of {source}: decay_steps 6 there, 90 now; max_lr 0.001 there, "
        "0.01 now"])


def test_a_checkpoint_that_does_not_tell_its_schedule_had_the_only_one(written):
    source = written()
    now = replace(WAS, schedule=SCHEDULE | {"scheduler": "paddlenlp", "first_step": 1})
    assert start_step(MAX_STEPS, source, now) == (3, [])
    now = replace(WAS, schedule=SCHEDULE | {"scheduler": "linear", "first_step": 0})
    assert start_step(MAX_STEPS, source, now) == (3, [
        f"the settings are not those of {source}: first_step 1 there, 0 now; scheduler paddlenlp "
        "there, linear now"])


def test_more_epochs_are_told(written):
    _, (note,) = start_step(MAX_STEPS, written(), replace(WAS, sample_order="other"))
    assert "--max_steps 9 asks for more epochs" in note and "shuffles again" in note


def test_format_1_is_continued_with_a_warning(written):
    source = written(version=1)
    step, (note,) = start_step(MAX_STEPS, source, WAS)
    assert step == 3
    assert note == f"{source} is of format 1, without manifest.json: damage to its files may go " \
                   "unseen"
    assert "another seed" in refusal(source, seed=9)
    assert "another order key" in refusal(source, order_key="other")


def test_a_damaged_source_is_refused(written):
    source = written()
    (source / "training_state.json").write_text("{}")
    with pytest.raises(ValueError, match="training_state.json: damaged"):
        start_step(MAX_STEPS, source, WAS)


def test_resume_falls_back_and_later_ones_are_no_obstacle(config, written):
    whole, damaged = written(), written(replace(WAS, step=6, samples=24))
    (damaged / "config.json").write_text("[]")
    notes = []
    source = find(config(resume=True), notes)
    assert source == whole and "model_6 is damaged (config.json: damaged" in notes[0]
    check(config(resume=True), source)
    with pytest.raises(ValueError, match="model_6 is later than step 3"):
        check(config(model_name_or_path=str(whole)), whole)
    checkpoint.make_way(whole.parent, 3)
    check(config(model_name_or_path=str(whole)), whole)


def test_without_resume_nothing_is_looked_for(config, written):
    written()
    assert find(config(), []) is None
    with pytest.raises(ValueError, match="holds another run"):
        check(config(), None)


def test_no_step_is_left(config, written):
    with pytest.raises(ValueError, match="is at step 3 already; --max_steps is 3"):
        ending.check(config(resume=True, max_steps=3, report_to="none"), written(), 3, tests=False)


def test_the_weights_of_another_task_are_where_a_run_starts(written, config):
    """At step 0, whatever its seed and data were."""
    source = written(replace(WAS, task="pairs", seed=9))
    assert start_step(MAX_STEPS, source, WAS) == (0, [])
    check_output(config(output_dir=str(source.parent.parent / "new")).checkpoint, Start(source),
                 "pretraining")


def test_the_directory_of_another_task_is_refused(written, config):
    source = written(replace(WAS, task="pairs"))
    with pytest.raises(ValueError, match="holds a run of another task: model_3 is of pairs, this "
                                         "is pretraining; name an empty one"):
        check(config(resume=True), source)
    with pytest.raises(ValueError, match="holds another run"):
        check(config(), None)


def test_files_that_name_no_task_are_pretrainings(written):
    """As all have been that were written before there was another task."""
    source = written()
    assert "task" not in json.loads((source / "training_state.json").read_text())
    assert checkpoint.load_state(source).task == "pretraining"
    named = written(replace(WAS, step=4, samples=16, task="pairs"))
    assert json.loads((named / "training_state.json").read_text())["task"] == "pairs"
