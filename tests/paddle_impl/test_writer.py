"""Text in, text out: prompts to ids, in order, refused where they cannot be continued."""

import json

import pytest

from data_tools.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.writer import Writer, prompts_of

SHAPE = {"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 24, "bos_token_id": 256,
         "eos_token_id": 256}


@pytest.fixture(scope="module")
def writer():
    model = GPTForCausalLM(ModelConfig(vocab_size=260, initializer_range=0.5, **SHAPE))
    initialize(model, 0)
    return Writer(model, Tokenizer.byte_level())


def test_prompts_become_ids(writer):
    assert writer.ids("aé") == list("aé".encode())
    assert writer.ids("") == [256]
    assert writer.ids("<|endoftext|>", special_tokens=True) == [256]


def test_a_prompt_without_room_is_refused(writer):
    with pytest.raises(ValueError, match="prompt of 24 tokens .* the model's 24 positions"):
        writer.ids("a" * 24)


def test_a_tokenizer_of_another_model_is_refused():
    small = GPTForCausalLM(ModelConfig(vocab_size=100, **SHAPE))
    with pytest.raises(ValueError, match="id 195, beyond the model's vocabulary of 100"):
        Writer(small, Tokenizer.byte_level()).ids("é")


def test_what_is_no_text_is_refused(writer):
    with pytest.raises(ValueError, match="prompt 'a.*dcff' is not UTF-8 text"):
        writer.ids(b"a\xff".decode("utf-8", "surrogateescape"))


def test_a_family_that_the_tokenizer_is_not_of(writer):
    writer.check_family("gpt2-en")
    with pytest.raises(ValueError, match="gpt2-cn has a SentencePiece tokenizer"):
        writer.check_family("gpt2-cn")


def test_results_come_in_order_and_the_pieces_are_the_text(writer):
    """The first prompt ends last, for it has the most room."""
    prompts = [writer.ids(text) for text in ("a", "bc" * 11, "def" * 6)]
    pieces = {}

    def show(prompt, number, text):
        pieces.setdefault((prompt, number), []).append(text)

    decoding = Decoding(40, "sampling", num_return_sequences=2, stop=("\x00",), vocab_size=257)
    found = list(writer.write(prompts, decoding, 3, show))
    assert [number for number, _ in found] == [0, 1, 2]
    for number, sequences in found:
        for index, own in enumerate(sequences):
            assert "".join(pieces[number, index]) == own.text
    assert list(writer.write(prompts, decoding, 3)) == found
    assert list(writer.write(prompts, decoding, 4)) != found


def test_prompts_of_a_jsonl_file_may_have_lines(tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_text(json.dumps({"prompt": "a\nb", "id": 1}) + "\n" + json.dumps({"prompt": ""}))
    assert prompts_of(str(file)) == ["a\nb", ""]


def test_a_line_ends_with_a_newline_and_with_nothing_else(tmp_path):
    """JSON may hold these characters as they are, and Python files hold form feeds."""
    text = "a\x0cb\x85c\u2028d"
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": text}, ensure_ascii=False) + "\n",
                                      encoding="utf-8")
    assert prompts_of(str(tmp_path / "p.jsonl")) == [text]
    (tmp_path / "p.txt").write_bytes(f"{text}\r\n\r\nx".encode())
    assert prompts_of(str(tmp_path / "p.txt")) == [text, "", "x"]


@pytest.mark.parametrize("line", ['{"text": "a"}', "[1]", "{", '{"prompt": 3}', "7"])
def test_a_line_that_is_no_prompt_is_named(tmp_path, line):
    file = tmp_path / "p.jsonl"
    file.write_text('{"prompt": "a"}\n' + line + "\n")
    with pytest.raises(ValueError, match=r"p\.jsonl: line 2 is no object with a \"prompt\""):
        prompts_of(str(file))
