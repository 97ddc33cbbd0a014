"""--init_from: a new run from the weights of a checkpoint, and which ones it may start from."""

import json
import shutil

import numpy as np
import pytest

from data_tools.token_files.writer import TokenFileWriter
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run
from paddle_impl.training import ending
from paddle_impl.training.resume import Start, check_output, find_start


@pytest.fixture
def config(tiny_data, tmp_path):
    """config(**flags): of a run of 2 steps into tmp_path/run."""

    def build(**more) -> PretrainConfig:
        return PretrainConfig.of(**{
            "model_type": "gpt", "input_dir": str(tiny_data), "output_dir": str(tmp_path / "run"),
            "split": "80,15,5", "max_seq_len": 16, "micro_batch_size": 2, "max_steps": 2,
            "save_steps": 1, "eval_iters": 0, "device": "cpu", "report_to": "none",
            "peak_tflops": 1.0, "max_lr": 0.01, "decay_steps": 0, "warmup_rate": 0.5, **more})

    return build


@pytest.fixture(scope="module")
def trained(tiny_data, tmp_path_factory):
    """A checkpoint of step 2, with seed 3."""
    output = tmp_path_factory.mktemp("trained")
    pretraining_run(PretrainConfig.of(
        model_type="gpt", model_name_or_path="code-mini", input_dir=str(tiny_data),
        output_dir=str(output), split="80,15,5", max_seq_len=16, micro_batch_size=2, max_steps=2,
        eval_iters=0, device="cpu", report_to="none", seed=3, peak_tflops=1.0)).train()
    return output / "model_2"


def content(directory) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def refusal(config: PretrainConfig) -> str:
    with pytest.raises(ValueError) as raised:
        pretraining_run(config)
    assert not raised.value.args[0].count("\n")
    return str(raised.value)


def test_only_the_weights_are_taken(config, trained, tmp_path):
    """As from a copy without training state: step 1, a new optimizer, other settings and seed."""
    weights = shutil.copytree(trained, tmp_path / "weights")
    for name in ("training_state.json", "optimizer.safetensors", "manifest.json"):
        (weights / name).unlink()
    pretraining_run(config(init_from=str(trained), seed=8, micro_batch_size=4)).train()
    pretraining_run(config(model_name_or_path=str(weights), output_dir=str(tmp_path / "same"),
                           seed=8, micro_batch_size=4)).train()
    assert content(tmp_path / "run" / "model_2") == content(tmp_path / "same" / "model_2")
    assert checkpoint.load_state(tmp_path / "run" / "model_1").step == 1


def test_the_same_flags_with_resume_start_and_then_continue(config, trained, tmp_path):
    whole = config(init_from=str(trained), output_dir=str(tmp_path / "whole"), max_steps=3)
    pretraining_run(whole).train()
    for steps in (2, 3):
        run = pretraining_run(config(init_from=str(trained), resume=True, max_steps=steps,
                                     decay_steps=3))
        assert run.start_step == (0 if steps == 2 else 2)
        run.train()
    assert content(tmp_path / "run" / "model_3") == content(tmp_path / "whole" / "model_3")


def test_what_is_refused_names_it_as_the_way(config, trained):
    told = refusal(config(model_name_or_path=str(trained), seed=8, max_steps=9))
    assert told.endswith(f"start anew with --init_from {trained}")


@pytest.mark.parametrize(("flags", "said"), [
    ({"init_from": "nowhere"}, "--init_from nowhere is no directory"),
    ({"model_name_or_path": "{}"}, "--init_from {} and --model_name_or_path {} are both"),
    ({"model_name_or_path": "gpt2-en"}, "{} has n_layer 4, --model_name_or_path gpt2-en 12: leave"),
    ({"output_dir": "{.parent}"}, "--output_dir {.parent} holds another run"),
])
def test_what_cannot_be_meant(config, trained, flags, said):
    flags = {name: value.replace("{.parent}", str(trained.parent)).replace("{}", str(trained))
             for name, value in flags.items()}
    said = said.replace("{.parent}", str(trained.parent)).replace("{}", str(trained))
    assert said in refusal(config(**{"init_from": str(trained), **flags}))
    assert (trained / "training_state.json").exists()


def test_a_name_of_the_same_shape_may_stand_beside_it(config, trained):
    assert pretraining_run(config(init_from=str(trained), model_name_or_path="code-mini"))


@pytest.mark.parametrize("flag", ["init_from", "model_name_or_path"])
@pytest.mark.parametrize("told", ["by the meta file", "by the tokenizer beside the data"])
def test_weights_of_another_tokenizer_are_refused(config, trained, tmp_path, flag, told):
    """The same number of tokens, other merges: every id past the bytes means another text."""
    weights = shutil.copytree(trained, tmp_path / "weights")
    for name in ("training_state.json", "manifest.json"):
        (weights / name).unlink()
    other = Tokenizer.train(iter(["int main() { return 0; }\n" * 9, "while (true) i++;\n"]), 290)
    with TokenFileWriter(tmp_path / "c", other.vocab_size, other) as writer:
        for _ in range(40):
            writer.append(np.append(other.encode("int main() { return 0; }\n" * 3),
                                    other.eos_token_id))
    if told == "by the tokenizer beside the data":
        meta = tmp_path / "c_meta.json"
        values = json.loads(meta.read_text())
        meta.write_text(json.dumps({name: value for name, value in values.items()
                                    if not name.startswith("tokenizer")}))
    flags = {flag: str(weights), "input_dir": str(tmp_path / "c_ids.npy")}
    said = refusal(config(**flags))
    theirs = Tokenizer.load(trained).fingerprint()[:12]
    for part in (other.fingerprint()[:12], theirs, str(weights), "--allow_other_tokenizer"):
        assert part in said
    assert not (tmp_path / "run").exists()
    pretraining_run(config(**flags, allow_other_tokenizer=True))
    for path in (weights / "tokenizer.json", weights / "vocab.json"):
        path.unlink()
    pretraining_run(config(**flags))  # weights without a tokenizer: there is nothing to compare


def test_where_a_run_starts(config, trained, tmp_path):
    """By what the flags name, before anything is opened."""
    one = config(init_from=str(trained))
    assert find_start(one.model, one.checkpoint) == Start(trained, continues=False)
    check_output(one.checkpoint, Start(trained, continues=False), "pretraining")
    with pytest.raises(ValueError, match="is at step 2 already; --max_steps is 1"):
        ending.check(config(init_from=str(trained), max_steps=1), trained, 2, tests=True)
    copy = shutil.copytree(trained, tmp_path / "run" / "model_2")
    one = config(init_from=str(trained), resume=True)
    assert find_start(one.model, one.checkpoint) == Start(copy)
