"""Special tokens by name: which files name them, and what ends a document."""

import json

import pytest

from data_tools.tokenizing.any_tokenizer import end_of
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer
from tests.data_tools.tokenizing.test_added_tokens import CHAT, as_transformers, byte_folder, same


def test_names_that_transformers_gives_where_no_file_does(tmp_path):
    """GPT2Tokenizer adds <|endoftext|> to a vocabulary without it."""
    folder = byte_folder(tmp_path, {"eos_token": "<|im_end|>"}, pair=True)
    vocab = json.loads((folder / "vocab.json").read_text())
    del vocab[END_OF_TEXT]
    (folder / "vocab.json").write_text(json.dumps(vocab))
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.special_tokens == {END_OF_TEXT: 256, "<|im_end|>": 257}
    assert tokenizer.eos_token_id == 257
    as_transformers(folder, tokenizer)


def test_an_added_token_that_is_named_becomes_special(tmp_path):
    """tokenizer.json has it as an ordinary token, tokenizer_config.json ends documents with it."""
    folder = byte_folder(tmp_path, {"eos_token": "<|im_end|>"})
    told = json.loads((folder / "tokenizer.json").read_text())
    told["added_tokens"].append(told["added_tokens"][0] | {
        "id": 257, "content": "<|im_end|>", "special": False})
    (folder / "tokenizer.json").write_text(json.dumps(told))
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.eos_token_id == 257 and 257 not in tokenizer.encode("a<|im_end|>").tolist()


def test_a_named_token_that_plain_text_becomes_stays_text(tmp_path):
    tokenizer = Tokenizer.load(byte_folder(
        tmp_path / "given", {"pad_token": "!", "eos_token": END_OF_TEXT}))
    assert tokenizer.special_tokens == {END_OF_TEXT: 256}
    assert tokenizer.special_tokens_map == {"eos_token": END_OF_TEXT, "pad_token": "!"}
    assert tokenizer.decode(tokenizer.encode("!")) == "!"
    tokenizer.save(tmp_path / "saved")
    same(Tokenizer.load(tmp_path / "saved"), tokenizer)


def test_an_end_token_that_plain_text_becomes_is_refused_when_it_is_needed(tmp_path):
    tokenizer = Tokenizer.load(byte_folder(tmp_path, {"eos_token": "!"}))
    with pytest.raises(ValueError, match="the end token .!. is a part of plain text too"):
        _ = tokenizer.eos_token_id
    assert end_of(tokenizer) is None


def test_names_of_another_tokenizer_with_the_same_ids(tmp_path):
    plain = Tokenizer.byte_level().with_added_tokens(CHAT)
    folder = byte_folder(tmp_path, {"chat_template": "x", "eos_token": "<|im_end|>",
                                    "extra_special_tokens": list(CHAT)})
    plain.save(tmp_path / "plain")
    (tmp_path / "plain" / "tokenizer_config.json").write_bytes(
        (folder / "tokenizer_config.json").read_bytes())
    (tmp_path / "plain" / "special_tokens_map.json").unlink()
    named = plain.named_as(Tokenizer.load(tmp_path / "plain"))
    assert named.chat_template == "x" and named.fingerprint() == plain.fingerprint()
    assert named.eos_token_id == plain.special_tokens["<|im_end|>"] != plain.eos_token_id
    assert plain.named_as(Tokenizer.byte_level()).special_tokens_map == plain.special_tokens_map


def test_an_end_of_sentence_that_is_plain_must_not_be_the_end_token(tmp_path):
    files = {"added_tokens.json": {"</s>": 257}}
    with pytest.raises(ValueError, match="</s> is an added token but not marked special"):
        Tokenizer.load(byte_folder(tmp_path / "unnamed", files=files))
    named = Tokenizer.load(byte_folder(tmp_path / "named", {"eos_token": END_OF_TEXT}, files))
    assert named.eos_token_id == 256 and named.encode("</s>").tolist() == [257]


def test_an_added_pad_is_the_pad_token_where_there_is_none(tmp_path):
    tokenizer = Tokenizer.byte_level().with_added_tokens(["<pad>", "<x>"])
    assert tokenizer.special_tokens_map["pad_token"] == "<pad>"
    tokenizer.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.eos_token_id == tokenizer.eos_token_id
    as_transformers(tmp_path / "saved", again)
    named = Tokenizer.load(byte_folder(tmp_path, {"pad_token": "<|pad|>"}))
    assert named.with_added_tokens(["<pad>"]).special_tokens_map["pad_token"] == "<|pad|>"
    found = Tokenizer.byte_level().with_added_tokens(["<pad>"], special=False)
    assert "pad_token" not in found.special_tokens_map
