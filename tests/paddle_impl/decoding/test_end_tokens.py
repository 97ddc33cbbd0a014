"""What ends a continuation: the end tokens that a checkpoint declares, wherever text is written."""

import json

import pytest

import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.evaluation.humaneval.completing import completer
from paddle_impl.evaluation.minitest import answers
from paddle_impl.export import export_model, files
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.serving.request import Reader
from paddle_impl.text.conversation import Conversation
from paddle_impl.text.generator import TextGenerator
from paddle_impl.training.completions import Completions
from tests.paddle_impl.published import CHOSEN, IM_END, write

BYTES = Tokenizer.byte_level()
SHAPE = ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=300, n_positions=8)
DECLARED = {"eos_token_id": [CHOSEN, 256], "temperature": 0.7}
SIX = {"decode_strategy": "greedy_search", "min_dec_len": 0, "max_dec_len": 6}


@pytest.fixture
def generator(tmp_path) -> TextGenerator:
    return TextGenerator.load(str(write(tmp_path / "given", generation=DECLARED)))


@pytest.mark.parametrize(("config", "generation", "ends"), [
    (5, None, (5,)), ((5, 7), None, (5, 7)), (None, None, (256,)),
    (5, {"eos_token_id": 7}, (7,)), (5, {"eos_token_id": [7, 9]}, (7, 9)),
    (5, {"eos_token_id": None}, (5,)), (5, {"bos_token_id": 3}, (5,)),
    (50256, None, (256,)),  # GPT2Config's default, in a model with fewer tokens
    ((50256, 7), None, (7,)), (299, None, (256,)),  # the model has it, the tokenizer does not
    (-1, None, (256,)), (5, {"eos_token_id": []}, (256,)),
])
def test_generation_config_comes_before_config_and_that_before_the_tokenizer(
    config, generation, ends
):
    shape = SHAPE.with_(eos_token_id=config, generation_config=generation)
    assert end_tokens(shape, BYTES) == ends


def test_they_are_those_at_which_transformers_generate_ends(tmp_path):
    transformers = pytest.importorskip("transformers")
    import torch

    for number, (ends, generation) in enumerate([
        (CHOSEN, None), (IM_END, None), ([1, CHOSEN], None), (IM_END, {"eos_token_id": CHOSEN}),
        (CHOSEN, {"eos_token_id": IM_END}), (IM_END, {"eos_token_id": [256, CHOSEN]}),
    ]):
        directory = write(tmp_path / str(number), ends, generation)
        theirs = transformers.GPT2LMHeadModel.from_pretrained(directory)
        found = theirs.generate(torch.tensor([[65]]), max_new_tokens=6, do_sample=False,
                                pad_token_id=0)[0, 1:].tolist()
        ours = TextGenerator.load(str(directory)).complete("A", **SIX)
        assert ours == ["$" * 6 if found == [CHOSEN] * 6 else ""] and found[0] == CHOSEN


@pytest.mark.parametrize("value", ["x", 1.5, True, {"a": 1}, ["x"], [[3]]])
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_what_is_no_end_token_is_refused_with_the_file(tmp_path, file, value):
    write(tmp_path, generation=DECLARED)
    content = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps(content | {"eos_token_id": value}))
    with pytest.raises(ValueError, match=f"{tmp_path / file}: .*eos_token_id"):
        checkpoint.load_config(tmp_path)


def test_the_command_ends_there(generator, tmp_path, capsys):
    flags = [word for name, value in SIX.items() for word in (f"--{name}", str(value))]
    run_generation.main(["--model_name_or_path", str(tmp_path / "given"), "--device", "cpu",
                         "--prompt", "A", "--output_file", "-", *flags])
    record = json.loads(capsys.readouterr().out)
    assert (record["text"], record["finish_reason"]) == ("", "eos")
    run_generation.main(["--model_name_or_path", str(tmp_path / "given"), "--device", "cpu",
                         "--prompt", "A", "--output_file", "-", "--eos_token_id", "7", *flags])
    assert json.loads(capsys.readouterr().out)["text"] == "$" * 6


def test_a_conversation_ends_there(generator):
    lines, said = iter(["A", "exit"]), []
    Conversation(generator, DecodingOptions(**SIX), 1, lambda _: next(lines),
                 lambda *words, **_: said.append("".join(words))).run()
    assert "".join(said[1:]) == "A"


def test_the_server_ends_there(generator):
    reader = Reader(generator.model.config, generator.tokenizer,
                    ServingOptions(model_name_or_path="given"), None)
    request = reader.completion(b'{"model": "given", "prompt": "A"}')
    assert request.decodings[0].eos_token_ids == (CHOSEN, 256)


def test_measures_end_there(generator):
    complete = completer(generator.model, generator.tokenizer, seed=1, num_samples=1,
                         max_new_tokens=6)
    assert complete(["def f():"], [1]) == [[""]]
    found = answers(generator.model, generator.tokenizer, 1)
    assert {record["greedy"]["finish_reason"] for record in found} == {"eos"}


def test_completions_of_a_run_end_there(generator, tmp_path):
    (tmp_path / "lines").write_text("A\n\n")
    lines = Completions(str(tmp_path / "lines"), generator.tokenizer, generator.model.config,
                        DecodingOptions(**SIX), 1)
    assert lines.complete(generator.model, 1, Ranks()) == [("A", ""), ("", "")]


def test_an_export_keeps_them(generator, tmp_path):
    out = tmp_path / "out"
    export_model(generator.model, generator.tokenizer, out)
    assert files.read(out).end_tokens == (CHOSEN, 256)
    assert json.loads((out / "generation_config.json").read_text()) == DECLARED
    told = json.loads((out / "tokenizer_config.json").read_text())
    assert (told["eos_token"], told["model_max_length"]) == ("<|im_end|>", 64)


def test_an_older_export_has_one_number():
    export = files.Export(paddle="3", program="p", vocab_size=9, eos_token_id=7, positions=8,
                          layers=1, heads=1, head_size=8)
    assert export.end_tokens == (7,)

