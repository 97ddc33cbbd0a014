"""run_generation.py --records: each distinct context of a file of pairs is continued once."""

import json

import pytest

import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM, initialize

CONTEXTS = ("name : Zizzi", "name : The Mill", "name : Zizzi", "food : Thai")
BEAMS = {"num_beams": 3, "length_penalty": 0.8, "no_repeat_ngram_size": 4, "beam_score": "lora"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A checkpoint, and a file of pairs with its tokenizer's ids."""
    from safetensors.numpy import save_file

    directory = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer.train([" ".join(CONTEXTS) * 20], 280)
    tokenizer.save(directory)
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=tokenizer.vocab_size, n_positions=48,
        initializer_range=0.3, bos_token_id=0, eos_token_id=0))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    (directory / "pairs.jsonl").write_text("".join(json.dumps({
        "context": [*map(int, tokenizer.encode(context)), 0], "completion": [5 + number, 0]}) + "\n"
        for number, context in enumerate(CONTEXTS)))
    return directory


def flags(base, output_file, *more) -> list[str]:
    return [str(word) for word in (
        "--model_name_or_path", base, "--records", base / "pairs.jsonl",
        "--output_file", output_file, "--decode_strategy", "beam_search", "--max_dec_len", 9,
        "--min_dec_len", 0, "--eos_token_id", 0, 30, "--device", "cpu", *more,
        *(word for name, value in BEAMS.items() for word in (f"--{name}", value)))]


@pytest.mark.parametrize("rows", [1, 9])
def test_each_distinct_context_is_continued_once(base, tmp_path, rows, capsys):
    out = tmp_path / "predictions.jsonl"
    run_generation.main(flags(base, out, "--batch_size", rows))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["id"], line["context"]) for line in lines] == [
        (0, CONTEXTS[0]), (1, CONTEXTS[1]), (3, CONTEXTS[3])]
    model, tokenizer = checkpoint.load_language_model(base), Tokenizer.load(base)
    wanted = generate(
        model, [[*map(int, tokenizer.encode(line["context"])), 0] for line in lines],
        Decoding(strategy="beam_search", max_new_tokens=9, eos_token_ids=(0, 30),
                 vocab_size=tokenizer.vocab_size, **BEAMS))
    for line, (best,) in zip(lines, wanted, strict=True):
        assert line["predict"] == best.token_ids and not {0, 30} & {*best.token_ids}
        assert line["score"] == pytest.approx(best.score)
        assert line["text"] == tokenizer.decode(best.token_ids)
        assert line["finish_reason"] == best.finish_reason
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("more, message", [
    (["--prompt", "x"], "--prompt means nothing with --records"),
    (["--language", "python"], "--language means nothing with --records"),
    (["--serve"], "--records means nothing with --serve"),
    (["--num_return_sequences", "2"], "--records keeps one continuation"),
    (["--records", "none.jsonl"], "none.jsonl cannot be read: No such file"),
])
def test_a_mistake_is_one_clear_line(base, tmp_path, capsys, more, message):
    with pytest.raises(SystemExit) as stop:
        run_generation.main([*flags(base, tmp_path / "out.jsonl"), *more])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_without_a_file_there_is_nowhere_to_write(base, capsys):
    words = flags(base, "x")
    del words[words.index("--output_file") : words.index("--output_file") + 2]
    with pytest.raises(SystemExit):
        run_generation.main(words)
    assert "--records needs --output_file" in capsys.readouterr().err
