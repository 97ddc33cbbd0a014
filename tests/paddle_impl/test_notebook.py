"""The Python interface: `from paddle_impl import load, pretrain`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import paddle_impl
import run_pretrain
from paddle_impl import load, pretrain
from paddle_impl.config.decoding import Decoding
from paddle_impl.text.generator import TextGenerator

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"model_name_or_path": "code-mini", "split": "80,15,5", "max_seq_len": 32,
         "micro_batch_size": 2, "max_steps": 2, "decay_steps": 2, "eval_iters": 1,
         "report_to": "none"}


def in_a_new_process(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True,
                          text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": ""})


@pytest.fixture(scope="module")
def checkpoint(tiny_data, tmp_path_factory) -> Path:
    return pretrain(input_dir=tiny_data, output_dir=tmp_path_factory.mktemp("notebook"), **SMALL)


def test_pretrain_is_the_command(checkpoint, tiny_data, tmp_path):
    """The same weights to the last bit, and its directory is returned."""
    flags = [text for name, value in SMALL.items() for text in (f"--{name}", str(value))]
    run_pretrain.main(["--model_type", "gpt", "--device", "cpu", "--input_dir", str(tiny_data),
                       "--output_dir", str(tmp_path), *flags])
    assert checkpoint.name == "model_2"
    same = (checkpoint / "model.safetensors").read_bytes()
    assert same == (tmp_path / "model_2" / "model.safetensors").read_bytes()


def test_the_highest_step_is_returned(checkpoint, tiny_data):
    more = {**SMALL, "max_steps": 11, "save_steps": 9, "resume": True}
    found = pretrain(input_dir=tiny_data, output_dir=checkpoint.parent, **more)
    assert found == checkpoint.parent / "model_11"


def test_a_wrong_flag_is_refused_before_anything_is_written(tmp_path, tiny_data):
    for wrong in ({"max_stepps": 1}, {"min_lr": 1.0}):
        with pytest.raises(ValueError, match="max_steps|--min_lr 1.0 is above"):
            pretrain(input_dir=tiny_data, output_dir=tmp_path / "out", **SMALL, **wrong)
    assert not (tmp_path / "out").exists()


def test_load_completes_as_the_settings_say(checkpoint):
    writer = load(checkpoint)
    assert isinstance(writer, TextGenerator)
    ids = [writer.ids("def f"), writer.ids("import")]
    decoding = Decoding(max_new_tokens=5, strategy="sampling", num_return_sequences=2, top_k=9,
                        min_new_tokens=1, eos_token_ids=(writer.tokenizer.eos_token_id,),
                        vocab_size=writer.vocab_size)
    expected = [one.text for _, found in writer.generate(ids, decoding, 7) for one in found]
    settings = {"num_return_sequences": 2, "top_k": 9, "max_dec_len": 5}
    assert writer.complete(["def f", "import"], seed=7, **settings) == expected
    assert len(expected) == 4 and len(set(expected)) > 1
    assert writer.complete("def f", seed=7, **settings) == expected[:2]


def test_a_wrong_setting_is_refused(checkpoint):
    with pytest.raises(ValueError, match="there is no flag topk; the nearest one is top_k"):
        load(checkpoint).complete("def", topk=3)


def test_importing_is_instant_and_asks_for_nothing():
    """Neither Paddle nor numpy: not by the package, nor by the names it offers."""
    loaded = in_a_new_process(
        "import sys, json\nimport paddle_impl\nalone = 'paddle_impl.notebook' in sys.modules\n"
        "from paddle_impl import Decoding, ModelConfig, PretrainConfig, load, pretrain\n"
        "print(json.dumps([alone, 'paddle' in sys.modules, 'numpy' in sys.modules]))")
    assert json.loads(loaded.stdout) == [False, False, False]


def test_every_name_that_is_offered_is_there():
    for name in paddle_impl.__all__:
        assert getattr(paddle_impl, name).__name__ == name
        assert name in dir(paddle_impl)
    with pytest.raises(AttributeError, match="no attribute 'nothing'; it has Decoding"):
        paddle_impl.nothing  # noqa: B018
    assert all((ROOT / package / "py.typed").exists()
               for package in ("paddle_impl", "data_tools", "parity"))


def test_paddle_is_set_up_before_it_is_imported(checkpoint):
    said = in_a_new_process(
        f"import os\nfrom paddle_impl import load\nload({str(checkpoint)!r})\n"
        "print(os.environ['FLAGS_use_stride_kernel'])")
    assert said.stdout == "0\n" and "was imported before" not in said.stderr


def test_a_paddle_that_was_imported_before_is_told(checkpoint):
    said = in_a_new_process(
        f"import paddle\nfrom paddle_impl import load\nload({str(checkpoint)!r})")
    assert "Paddle was imported before paddle_impl could set its threads" in said.stderr
