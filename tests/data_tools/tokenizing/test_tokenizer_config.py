"""The files beside a vocabulary: a damaged one is refused by name, never taken for another."""

import json

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer, load_tokenizer


@pytest.mark.parametrize(("config", "files", "says"), [
    ({}, {"added_tokens.json": {"<a>": 300}},
     "its added token '<a>' is given id 300, but the next free id is 257"),
    ({}, {"added_tokens.json": {"a": 300}}, "id 300, but in the vocabulary it has id 97"),
    ({}, {"added_tokens.json": {"<a>": "257"}}, "added_tokens.json must hold an id for each token"),
    ({}, {"added_tokens.json": "[]"}, "added_tokens.json must hold a JSON object"),
    ({}, {"special_tokens_map.json": "{"}, "special_tokens_map.json is not JSON"),
    ({"eos_token": 3}, {}, "eos_token must be a text or an object with a content, got 3"),
    ({"eos_token": {"content": ""}}, {}, "eos_token must be a text or an object with a content"),
    ({"pad_token": "\ud800"}, {}, "pad_token must be a text or an object"),
    ({"additional_special_tokens": "<a>"}, {}, "must be a list of tokens, got '<a>'"),
    ({"added_tokens_decoder": {"x": {"content": "<a>"}}}, {}, "must map ids to objects with a"),
    ({"added_tokens_decoder": {"257": "<a>"}}, {}, "must map ids to objects with a content"),
    ({"added_tokens_decoder": []}, {}, "must map ids to objects with a content"),
    ({"chat_template": 3}, {}, "tokenizer_config.json: chat_template must be a text"),
    ({"chat_template": [{"name": "default"}]}, {}, "chat_template must be a text"),
])
def test_files_that_are_damaged_are_named(tmp_path, config, files, says):
    Tokenizer.byte_level().save(tmp_path)
    for name in ("tokenizer.json", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    for name, content in {"tokenizer_config.json": config, **files}.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=says):
        load_tokenizer(tmp_path)
