"""scripts/run_exported.py writes what run_generation.py writes."""

import importlib.util
import json

import pytest
from safetensors.numpy import save_file

import run_generation
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.convert import hugging_face
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.generate import generate
from tests.conftest import ROOT
from tests.paddle_impl.export.conftest import EOS, POSITIONS, new_model


def test_the_script_needs_no_model_code(exported, command, tmp_path):
    model, out = exported
    lines = tmp_path / "found.jsonl"
    # A module that is None cannot be imported.
    code = ("import runpy, sys; sys.modules['paddle_impl.model'] = None; sys.argv = sys.argv[1:]; "
            "runpy.run_path(sys.argv[0], run_name='__main__')")
    done = command("-c", code, "scripts/run_exported.py", out, "--prompt", "hello", "", "--seed", 3,
                   "--max_dec_len", 9, "--num_return_sequences", 2, "--output_file", lines)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("GENERATED SEQUENCE 1") == 2
    decoding = Decoding(9, strategy="sampling", min_new_tokens=1, num_return_sequences=2, top_k=5,
                        eos_token_ids=(EOS,), vocab_size=257)
    own = generate(model, [list(b"hello"), [EOS]], decoding,
                   draws=lambda number: uniform_draws(3, number), decoder="paddle")
    records = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert [record["token_ids"] for record in records] == \
        [c.token_ids for found in own for c in found]
    assert [record["prompt"] for record in records] == ["hello", "hello", "", ""]


@pytest.fixture
def run_exported():
    """scripts/run_exported.py as a module, to be called in this process."""
    file = ROOT / "scripts" / "run_exported.py"
    spec = importlib.util.spec_from_file_location("run_exported", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("arguments", "said"), [
    (["OUT", "--temperature", "0"], "--temperature must be above 0"),
    (["OUT", "--prompt", "x" * POSITIONS], f"the prompt has {POSITIONS} tokens"),
    (["OUT", "--decoder", "native"], "unrecognized arguments: --decoder"),
    (["OUT", "--prompt", "a", "--suffix", "b"], "this tokenizer has no <fim_prefix> <fim_middle>"),
    (["OUT", "--prompt", "a", "--fim_mode", "spm"], "it needs --suffix"),
    (["OUT", "--suffix", "b"], "--suffix needs a --prompt"),
    (["--prompt", "a"], "name the exported model first"),
    (["nowhere"], "nowhere is no exported model"),
])
def test_a_bad_value_is_one_line(exported, run_exported, capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        run_exported.main([str(exported[1]) if text == "OUT" else text for text in arguments])
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and said in line


@pytest.mark.parametrize("flags", [
    ["--seed", "4"],
    ["--decode_strategy", "greedy_search", "--prompt", "hello", "", "--stop", "\x07"],
    ["--prompt", "def f(", "", "--suffix", ")\n", "--seed", "4", "--num_return_sequences", "2"],
    ["--prompt", "a", "b" * POSITIONS, "--suffix", "1", "c" * POSITIONS, "--fim_mode", "spm",
     "--max_dec_len", "6", "--min_dec_len", "3", "--decode_strategy", "greedy_search"],
])
@pytest.mark.filterwarnings("ignore:.* left out")
def test_an_exported_checkpoint_writes_the_same_lines(run_exported, tmp_path, flags):
    """The vocabulary has the tokens of gaps, and one id of padding."""
    checkpoint, lines, model = tmp_path / "checkpoint", [], new_model(262)
    Tokenizer.byte_level().with_added_tokens(FIM_TOKENS).save(checkpoint)
    (checkpoint / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), checkpoint / "model.safetensors")
    of_checkpoint = ["--model_name_or_path", str(checkpoint), "--device", "cpu"]
    run_generation.main([*of_checkpoint, "--export", str(tmp_path / "out")])
    for name, main, begin in (("own", run_generation.main, of_checkpoint),
                              ("ours", run_exported.main, [str(tmp_path / "out")])):
        main([*begin, *flags, "--output_file", str(tmp_path / name)])
        text = (tmp_path / name).read_text(encoding="utf-8")
        lines.append([json.loads(line) for line in text.splitlines()])
    own, ours = lines
    assert len(own) == len(ours) > 1
    for one, other in zip(own, ours, strict=True):
        assert other.pop("score") == pytest.approx(one.pop("score"), abs=1e-5)
        assert other == one and one["token_ids"]
