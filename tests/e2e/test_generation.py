"""run_generation.py on a checkpoint that run_pretrain.py wrote."""

import json

import pytest

import run_generation
from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint as checkpoints
from paddle_impl.checkpoint import TrainingState
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.generate import generate as continued
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer


@pytest.fixture
def generate(checkpoint, tmp_path, capsys):
    def run(*more):
        output = tmp_path / "out.jsonl"
        capsys.readouterr()
        run_generation.main(["--model_name_or_path", str(checkpoint), "--device", "cpu",
                             "--output_file", str(output), "--max_dec_len", "12", *more])
        lines = output.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines], capsys.readouterr().out

    return run


def test_records_and_console(generate):
    records, out = generate("--prompt", "def ", "x =", "--num_return_sequences", "3")
    assert [r["prompt"] for r in records] == ["def "] * 3 + ["x ="] * 3
    for i, r in enumerate(records):
        assert set(r) == {"prompt", "text", "token_ids", "score", "finish_reason"}
        assert r["score"] < 0 and 0 < len(r["token_ids"]) <= 12
        header = f"********** GENERATED SEQUENCE {i % 3} **********\n"
        assert header + r["prompt"] + r["text"] in out


def test_seed_zero_is_a_seed(generate):
    first, _ = generate("--prompt", "def ", "--seed", "0", "--temperature", "2")
    assert generate("--prompt", "def ", "--seed", "0", "--temperature", "2")[0] == first
    assert generate("--prompt", "def ", "--seed", "1", "--temperature", "2")[0] != first


def test_greedy_writes_what_the_corpus_says(generate):
    (record,), _ = generate("--prompt", "def f_1_1(a, b):\n", "--decode_strategy", "greedy_search")
    assert "def f_" in record["text"] or "return a + b" in record["text"]


def test_top_k_one_is_greedy(generate):
    greedy, _ = generate("--prompt", "def ", "--decode_strategy", "greedy_search")
    assert generate("--prompt", "def ", "--top_k", "1")[0] == greedy


def test_prompts_from_a_file(generate, tmp_path):
    (tmp_path / "prompts.txt").write_text("def a\n\n    return\n")
    records, _ = generate("--prompt_file", str(tmp_path / "prompts.txt"))
    assert [r["prompt"] for r in records] == ["def a", "", "    return"]


def test_a_prompt_longer_than_the_positions_is_refused(generate, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        generate("--prompt", "def f(a, b): return a\n" * 200)
    assert exit_.value.code == 2
    assert "the model's 256 positions" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_a_place_that_is_none_is_refused_before_the_model_is_read(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_generation.main(["--model_name_or_path", "no_checkpoint", "--device", "cpu",
                             "--output_file", str(tmp_path / "none" / "out.jsonl")])
    assert exit_.value.code == 2
    assert "its directory does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("mode", [(), ("--interactive",), ("--serve",)])
def test_an_end_token_that_can_never_come_is_refused(checkpoint, capsys, mode):
    with pytest.raises(SystemExit) as exit_:
        run_generation.main(["--model_name_or_path", str(checkpoint), "--device", "cpu",
                             "--eos_token_id", "0", "99999", *mode])
    assert exit_.value.code == 2
    assert "the end token 99999 is outside the vocabulary" in capsys.readouterr().err


def test_prompts_from_standard_input_to_json_lines(checkpoint, command):
    process = command("run_generation.py", "--model_name_or_path", checkpoint, "--device", "cpu",
                      "--prompt_file", "-", "--output_file", "-", "--max_dec_len", 8,
                      input="def \nx =\n")
    records = [json.loads(line) for line in process.stdout.splitlines()]
    assert [record["prompt"] for record in records] == ["def ", "x ="], process.stderr


def test_what_is_streamed_is_the_text(generate):
    whole, _ = generate("--prompt", "def f_1_1(a, b):\n", "x =")
    records, out = generate("--prompt", "def f_1_1(a, b):\n", "x =", "--stream")
    assert records == whole
    for record in records:
        assert f"SEQUENCE 0 **********\n{record['prompt']}{record['text']}\n" in out


def test_beams_come_best_first(generate):
    options = ("--decode_strategy", "beam_search", "--num_beams", "4")
    records, _ = generate("--prompt", "def ", "--num_return_sequences", "3", *options)
    assert [r["score"] for r in records] == sorted((r["score"] for r in records), reverse=True)
    (best,), _ = generate("--prompt", "def ", *options)
    assert best == records[0]


def test_a_stop_string_ends_the_text(generate):
    greedy = ("--prompt", "def f_1_1(a, b):\n", "--decode_strategy", "greedy_search")
    (free,), _ = generate(*greedy)
    stop = free["text"][3:5]
    (found,), _ = generate(*greedy, "--stop", stop, "never there")
    assert (found["text"], found["finish_reason"]) == (free["text"].partition(stop)[0], "stop")


@pytest.mark.parametrize("decoder", ["paddle", "native"])
def test_decoders_write_the_same(generate, decoder):
    prompts = ("--prompt", "def ", "class", "x = 3\n", "--temperature", "0.5")
    assert [r["text"] for r in generate(*prompts, "--decoder", decoder)[0]] == [
        r["text"] for r in generate(*prompts)[0]]


def test_a_conversation(checkpoint, command):
    process = command("run_generation.py", "--model_name_or_path", checkpoint, "--device", "cpu",
                      "--interactive", input="def f\nset top_k 0.5\nexit\n")
    assert process.returncode == 0, process.stderr
    assert ">>> def f" in process.stdout and "error: top_k takes a number" in process.stdout


@pytest.fixture(scope="module")
def filler(tmp_path_factory):
    """A model with random weights and a token for each byte, the gap's parts and <python>."""
    tokenizer = Tokenizer.byte_level().with_added_tokens([*FIM_TOKENS, "<python>"])
    model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=16, n_head=2, n_positions=48,
                                       vocab_size=262, initializer_range=0.5))
    initialize(model, 3)
    optimizer = build_optimizer(model, learning_rate=0.01, weight_decay=0.1)
    state = TrainingState(1, 4, 1, "k", "o", None, 4, {})
    return checkpoints.save(tmp_path_factory.mktemp("filler"), model, optimizer, state, tokenizer)


@pytest.fixture
def fill(filler, tmp_path, capsys):
    """(records, standard output, standard error) of greedy continuations with the flags."""

    def run(*more, output=tmp_path / "filled.jsonl"):
        capsys.readouterr()
        run_generation.main(["--model_name_or_path", str(filler), "--device", "cpu",
                             "--output_file", str(output), "--max_dec_len", "8",
                             "--decode_strategy", "greedy_search", *more])
        shown = capsys.readouterr()
        records = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
        return records, shown.out, shown.err

    return run


def middle(filler, ids) -> list[int]:
    model = checkpoints.load_model(filler)
    ends = (256, 257, 258, 259, 260)
    ((one,),) = continued(model, [ids], Decoding(8, eos_token_ids=ends, vocab_size=262))
    return one.token_ids


@pytest.mark.parametrize("more", [(), ("--stream",)])
def test_a_gap_is_filled(fill, filler, more):
    (record,), out, _ = fill("--prompt", "def f", "--suffix", "\n    return x\n", *more)
    assert list(record) == ["prompt", "suffix", "text", "token_ids", "score", "finish_reason"]
    assert (record["prompt"], record["suffix"]) == ("def f", "\n    return x\n")
    ids = [257, *b"def f", 259, *b"\n    return x\n", 258]
    assert record["token_ids"] == middle(filler, ids) != []
    assert f"SEQUENCE 0 **********\n{record['text']}\n" in out and "def f" not in out


def test_gaps_and_prompts_of_a_file_are_what_each_is_alone(fill, filler, tmp_path):
    lines = [{"prompt": "a", "suffix": "b"}, {"prompt": "a"}, {"prompt": "a"},
             {"prompt": "", "suffix": ""}]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, lines)))
    records, _, _ = fill("--prompt_file", str(tmp_path / "p.jsonl"))
    assert ["suffix" in one for one in records] == [True, False, False, True]
    assert records[0]["token_ids"] == middle(filler, [257, 97, 259, 98, 258])
    assert records[1] == records[2] == fill("--prompt", "a")[0][0]
    assert records[3]["token_ids"] == middle(filler, [257, 259, 258])
    sampled = ("--prompt_file", str(tmp_path / "p.jsonl"), "--decode_strategy", "sampling")
    records, _, _ = fill(*sampled)
    assert fill(*sampled)[0] == records and records[1] != records[2]


def test_the_order_of_the_parts_and_the_language(fill, filler):
    (record,), _, _ = fill("--prompt", "ab", "--suffix", "cd", "--fim_mode", "spm", "--language",
                           "Python")
    assert record["token_ids"] == middle(filler, [261, 257, 259, *b"cd", 258, *b"ab"])
    (record,), _, _ = fill("--prompt", "ab", "--language", "python")
    ((one,),) = continued(checkpoints.load_model(filler), [[261, *b"ab"]], Decoding(
        8, min_new_tokens=1, eos_token_ids=(256,), vocab_size=262))
    assert record["token_ids"] == one.token_ids


def test_a_gap_in_a_long_text_is_filled_and_said(fill, filler):
    before, behind = "x = 1\n" * 30, "y = 2\n" * 30
    with pytest.warns(UserWarning, match="the first 152 tokens of the prompt and the last 171 of"):
        (record,), _, _ = fill("--prompt", before, "--suffix", behind)
    ids = [257, *before.encode()[-28:], 259, *behind.encode()[:9], 258]
    assert len(ids) == 48 - 8 and record["token_ids"] == middle(filler, ids)


def test_a_model_that_fills_no_gaps(generate, capsys):
    for flags, said in ((("--suffix", "x"), "this tokenizer has no <fim_prefix>"),
                        (("--language", "python"), "no token for the language 'python'")):
        with pytest.raises(SystemExit, match="2"):
            generate("--prompt", "def ", *flags)
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1
