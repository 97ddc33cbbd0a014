"""--model_class: a class of the user's is trained, measured, saved and resumed like GPT-2."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import run_evaluation
import run_generation
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.heads import ARCHITECTURES
from paddle_impl.pretraining import pretraining_run

CLASSES = ["Scaled", "Mean"]


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """The module user_models, in the current folder; what a test registers is removed again."""
    shutil.copy(Path(__file__).parent / "user_models.py", tmp_path)
    (tmp_path / "broken.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = dict(ARCHITECTURES)
    yield
    ARCHITECTURES.clear()
    ARCHITECTURES.update(known)
    for name in ("user_models", "broken"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(tiny_data, tmp_path):
    """run(class, folder, **flags): a run of 4 steps, trained."""

    def train(name, folder="run", **more):
        started = pretraining_run(PretrainConfig.of(**{
            "model_type": "gpt", "model_name_or_path": "code-mini", "n_layer": 1, "n_embd": 16,
            "input_dir": str(tiny_data), "output_dir": str(tmp_path / folder), "split": "80,15,5",
            "max_seq_len": 16, "micro_batch_size": 4, "max_steps": 4, "save_steps": 2,
            "eval_freq": 2, "eval_iters": 1, "device": "cpu", "report_to": "none",
            "peak_tflops": 1.0, "max_lr": 0.05, "min_lr": 0.05, "decay_steps": 0,
            "warmup_rate": 0.0, "model_class": name and f"user_models:{name}", **more}))
        started.train()
        return tmp_path / folder

    return train


def losses(folder, key="loss"):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record[key] for line in lines if key in (record := json.loads(line))]


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_subclass_that_changes_nothing_is_gpt2_bit_for_bit(run):
    own, others = (load_file(run(name, folder) / "model_4" / "model.safetensors")
                   for name, folder in (("Same", "a"), (None, "b")))
    assert own.keys() == others.keys()
    assert all((own[name] == others[name]).all() for name in own)
    assert losses(run("Same", "c"), "valid_loss") == losses(run(None, "d"), "valid_loss")


@pytest.mark.parametrize("name", CLASSES)
def test_it_trains_and_all_its_parameters_with_it(run, name):
    folder = run(name, max_steps=12)
    assert losses(folder)[-1] < losses(folder)[0] - 0.3
    assert len(losses(folder, "valid_loss")) == 6
    first, last = (load_file(folder / f"model_{step}" / "model.safetensors") for step in (2, 12))
    for own in {"Scaled": ["gain"], "Mean": ["lm_head.weight", "lm_head.bias", "wte.weight"]}[name]:
        assert (first[own] != last[own]).any()
    told = json.loads((folder / "model_2" / "config.json").read_text())
    assert told["architectures"] == [f"user_models:{name}"]
    assert json.loads((folder / "hyperparams.json").read_text())["model_class"] == \
        f"user_models:{name}"


@pytest.mark.parametrize("name", CLASSES)
def test_resumed_it_has_the_class_of_its_checkpoint(run, name, tmp_path):
    whole = run(name, "whole")
    run(name, max_steps=2)
    folder = run(None, resume=True)
    assert content(folder / "model_4") == content(whole / "model_4")
    assert json.loads((folder / "hyperparams.json").read_text())["model_class"] == \
        f"user_models:{name}"
    ARCHITECTURES.pop(f"user_models:{name}")
    shutil.rmtree(folder / "model_4")
    # Code is imported because of a checkpoint only in the run's own folder.
    with pytest.raises(ValueError, match=f"holds a model of the class user_models:{name}: name it"):
        run(None, "other", model_name_or_path=str(folder / "model_2"), n_layer=None, n_embd=None)


def test_another_class_is_refused(run):
    run("Mean", max_steps=2)
    for other, there in (("Scaled", "user_models:Mean"), ("Same", "user_models:Mean")):
        with pytest.raises(ValueError, match=f"another model class: {there} there, "
                                             f"user_models:{other} now"):
            run(other, resume=True)
    run(None, "gpt2", max_steps=2)
    with pytest.raises(ValueError, match="class: GPT2LMHeadModel there, user_models:Same now"):
        run("Same", "gpt2", resume=True)


def test_a_subclass_starts_from_gpt2s_weights_and_another_class_does_not(run):
    start = {"init_from": str(run(None, "gpt2") / "model_4"), "model_name_or_path": None}
    first = losses(run("Same", "same", **start))[0]
    assert first == losses(run(None, "plain", **start))[0]
    with pytest.raises(ValueError, match="holds a GPT2LMHeadModel, this model is a user_models:Me"):
        run("Mean", "mean", **start)
    with pytest.raises(ValueError, match=r"weights do not fit the model: 1 missing \['gain'\]"):
        run("Scaled", "scaled", **start)


@pytest.mark.parametrize("name", CLASSES)
def test_what_needs_gpt2s_layers_refuses_it_by_name(run, name, capsys):
    model = str(run(name) / "model_4")
    ARCHITECTURES.pop(f"user_models:{name}")  # as in another process
    for command, words in (
        (run_generation, ["--prompt", "a"]), (run_evaluation, ["--minitest"]),
        (run_generation, ["--export", "exported"]),
    ):
        with pytest.raises(SystemExit) as end:
            command.main(["--model_name_or_path", model, "--device", "cpu", *words])
        err = capsys.readouterr().err
        assert end.value.code == 2 and err.count("\n") == 1
        assert f"holds a model of the user's class user_models:{name}: only a run with" in err
    transformers = pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="user_class"):
        transformers.AutoModelForCausalLM.from_pretrained(model)


@pytest.mark.parametrize(("name", "said"), [
    ("no_such_module:Mean", "no_such_module cannot be imported, ModuleNotFoundError: No module"),
    ("broken:Mean", "broken cannot be imported, ModuleNotFoundError: No module named 'no_such_pac"),
    ("user_models:Missing", "user_models has no Missing"),
    ("user_models:function", "user_models:function is a function, expected a class"),
    ("user_models:Plain", "user_models:Plain is no subclass of paddle.nn.Layer"),
    ("user_models:Lacking", "user_models:Lacking lacks forward and initialize: see LanguageModel"),
    ("user_models:Other", "user_models:Other: __init__ must take config alone, missing a required"),
    ("user_models:NoConfig", "user_models:NoConfig must keep the config"),
    ("user_models:Bare", "user_models:Bare has no parameters"),
    ("user_models:Anticausal", "user_models:Anticausal is not causal: a logit depends on a later"),
    ("user_models:Narrow", r"gives paddle.float32 \[2, 8, 299\] for input_ids \[2, 8\], exp"),
    ("user_models:Pair", r"gives tuple for input_ids \[2, 8\], expected logits \[2, 8, 300"),
    ("user_models:Failing", "user_models:Failing fails: RuntimeError: no such kernel"),
    ("user_models:Buffered", "the buffer steps would be missing from checkpoints"),
    ("user_models", "--model_class takes package.module:Class, got user_models"),
    ("../a:Mean", "--model_class takes package.module:Class"),
])
def test_a_class_that_cannot_be_trained_is_told_before_anything_is_written(
    run, tmp_path, name, said
):
    with pytest.raises(ValueError, match=said) as raised:
        run("Mean", model_class=name)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("flags", "named"), [
    ({"use_recompute": True}, "--use_recompute works with GPT-2's own layers only"),
    ({"sharding_stage": 3, "sharding_degree": 1, "use_sharding": True}, "--sharding_stage works"),
    ({"test_file": "prompts.txt"}, "--test_file works"),
])
def test_flags_that_need_gpt2s_layers(run, tmp_path, flags, named):
    (tmp_path / "prompts.txt").write_text("def\n")
    with pytest.raises(ValueError, match=named):
        run("Mean", **flags, **({"max_dec_len": 4} if "test_file" in flags else {}))
