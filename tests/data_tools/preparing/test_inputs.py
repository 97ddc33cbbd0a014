"""The inputs of a run: the tokenizer, and the plan that a continued run must share."""

import json

import pytest

from data_tools.create_pretraining_data import parse
from data_tools.preparing.inputs import find_inputs, given_tokenizer, plan_of
from data_tools.token_files.token_file import TokenFile
from data_tools.tokenizing.tokenizer import Tokenizer, load_tokenizer


@pytest.fixture
def chat_folder(tmp_path):
    """A tokenizer whose documents end in another token than <|endoftext|>, with a chat template."""
    folder = tmp_path / "tokenizer"
    Tokenizer.byte_level().save(folder)
    (folder / "special_tokens_map.json").unlink()  # it would come before the other
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"eos_token": "<|im_end|>", "chat_template": "{{ messages }}"}))
    return folder


def plan(source_tree, tokenizer):
    options = parse(["--input_path", str(source_tree), "--output_prefix",
                     str(source_tree.parent / "x"), "--tokenizer", str(tokenizer)]).filled_in()
    return plan_of(options, find_inputs(options), given_tokenizer(options))


def test_tokens_beside_the_tokenizer_make_another_plan(source_tree, chat_folder):
    before = plan(source_tree, chat_folder)
    assert plan(source_tree, chat_folder) == before
    (chat_folder / "added_tokens.json").write_text('{"<tool>": 257}')
    added = plan(source_tree, chat_folder)
    assert added != before
    (chat_folder / "tokenizer.json").rename(chat_folder / "mine.json")
    alone = plan(source_tree, chat_folder / "mine.json")
    (chat_folder / "added_tokens.json").unlink()
    assert plan(source_tree, chat_folder / "mine.json") == alone


def test_documents_end_in_the_end_token_that_the_tokenizer_names(
    source_tree, chat_folder, tmp_path, in_process
):
    assert in_process("--input_path", source_tree, "--output_prefix", tmp_path / "x",
                      "--tokenizer", chat_folder, "--quiet") == 0
    data = TokenFile.open(tmp_path / "x")
    assert data.meta["eos_token_id"] == 257 and data.verify() == []
    assert data.ids[data.document_offsets[1:] - 1].tolist() == [257] * len(data)
    kept = load_tokenizer(tmp_path / "x_tokenizer")
    assert kept.eos_token_id == 257 and kept.chat_template == "{{ messages }}"
    assert kept.fingerprint() == data.meta["tokenizer_fingerprint"]
