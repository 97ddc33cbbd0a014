"""Added tokens, special tokens and chat templates survive load and save, as in transformers.
"""

import json
import pickle
import warnings
from pathlib import Path

import pytest
from tokenizers import AddedToken

from data_tools.tokenizing.rust_tokenizer import twin
from data_tools.tokenizing.tokenizer import END_OF_TEXT, Tokenizer, load_tokenizer

TEXTS = ["a<|im_start|>user\nb<|im_end|>", "a <|im_end|> b<tool>c </s></s>",
         "<|im_end|><|im_end|>x <tool>y", END_OF_TEXT,
         "  <pad>\n", "def f(x):\n    return x<mask>"]
CHAT = ("<|im_start|>", "<|im_end|>")
NAMED = [{"name": "default", "template": "D{{ eos_token }}\n"}, {"name": "rag", "template": "é"}]


def byte_folder(folder, config=None, files=(), pair=False) -> Path:
    """Write the byte tokenizer's folder, with the given additional files."""
    Tokenizer.byte_level().save(folder)
    (folder / "special_tokens_map.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    if pair:
        (folder / "tokenizer.json").unlink()
    own = {"tokenizer_class": "GPT2Tokenizer" if pair else "PreTrainedTokenizerFast"}
    for name, content in {"tokenizer_config.json": own | (config or {}), **dict(files)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(one: Tokenizer, two: Tokenizer) -> None:
    """Assert that two tokenizers are equal in all public attributes and ids."""
    for name in ("vocab_size", "eos_token_id", "special_tokens", "special_tokens_map",
                 "chat_template"):
        assert getattr(one, name) == getattr(two, name), name
    assert one.fingerprint() == two.fingerprint()
    assert one.token_byte_lengths().tolist() == two.token_byte_lengths().tolist()
    for text in TEXTS:
        for special in (False, True):
            ids = one.encode(text, special_tokens=special).tolist()
            assert ids == two.encode(text, special_tokens=special).tolist()


def as_transformers(folder, tokenizer: Tokenizer) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(folder))
    assert len(theirs) == tokenizer.vocab_size
    for text in TEXTS:
        ids = tokenizer.encode(text, special_tokens=True).tolist()
        assert theirs(text)["input_ids"] == ids, text
        assert theirs.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)
    assert theirs.eos_token_id == tokenizer.eos_token_id
    assert theirs.special_tokens_map == theirs.special_tokens_map | tokenizer.special_tokens_map
    assert theirs.chat_template == tokenizer.chat_template


FOLDERS = {
    "plain": {},
    "another end token": {
        "config": {"eos_token": "<|im_end|>", "bos_token": END_OF_TEXT, "unk_token": None,
                   "pad_token": {"__type": "AddedToken", "content": "<pad>", "lstrip": True,
                                 "normalized": False}}},
    "named in the map": {"files": {"special_tokens_map.json": {
        "eos_token": {"content": "<|im_end|>", "single_word": False},
        "extra_special_tokens": ["<|im_start|>", {"content": "<tool>", "rstrip": True}]}}},
    "listed in the config": {"config": {
        "eos_token": END_OF_TEXT, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}},
    "as transformers 5 lists them": {"config": {
        "eos_token": END_OF_TEXT, "extra_special_tokens": ["<|im_start|>", "<|im_end|>"]}},
    "with ids in the config": {"config": {"eos_token": "<|im_end|>", "added_tokens_decoder": {
        "258": {"content": "<tool>", "special": False, "normalized": False},
        "257": {"content": "<|im_end|>", "special": True, "lstrip": True},
        "256": {"content": END_OF_TEXT, "special": True}}}},
    "in a file of their own": {
        "config": {"eos_token": END_OF_TEXT, "pad_token": "<pad>"},
        "files": {"added_tokens.json": {"<|im_end|>": 258, "<pad>": 257}}},
    "with ids, and how they are found": {"config": {
        "eos_token": "<|im_end|>", "added_tokens_decoder": {
        "256": {"content": END_OF_TEXT, "special": True, "normalized": False},
        "257": {"content": "<|im_end|>", "special": True, "rstrip": True, "single_word": True},
        "258": {"content": "<tool>", "special": False, "single_word": True, "normalized": True}}}},
    "named twice, the last says how": {"config": {
        "eos_token": END_OF_TEXT, "extra_special_tokens": ["<|im_end|>"],
        "pad_token": {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": True}}},
    "an end of sentence that is plain": {
        "config": {"eos_token": END_OF_TEXT}, "files": {"added_tokens.json": {"</s>": 257}}},
    "with a template": {"config": {"chat_template": "{{ messages }}\n", "eos_token": END_OF_TEXT}},
    "with named templates": {"config": {"chat_template": NAMED, "eos_token": END_OF_TEXT}},
    "with a template in a file": {
        "config": {"chat_template": "old", "eos_token": END_OF_TEXT},
        "files": {"chat_template.jinja": "{{ messages }}é\n"}},
    "with templates in files": {
        "config": {"eos_token": END_OF_TEXT},
        "files": {"chat_template.jinja": "x", "additional_chat_templates/rag.jinja": "y"}},
}


@pytest.mark.parametrize("pair", [False, True], ids=["tokenizer.json", "vocab.json"])
@pytest.mark.parametrize("name", FOLDERS)
def test_what_lies_in_a_folder_is_loaded_and_saved(tmp_path, name, pair):
    folder = byte_folder(tmp_path / "given", pair=pair, **FOLDERS[name])
    loaded = Tokenizer.load(folder)
    loaded.save(tmp_path / "saved")
    again = Tokenizer.load(tmp_path / "saved")
    same(again, loaded)
    again.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "saved")
    same(pickle.loads(pickle.dumps(loaded)), loaded)
    as_transformers(tmp_path / "saved", loaded)
    if name != "plain":  # there transformers knows no eos_token
        as_transformers(folder, loaded)


def test_the_pair_alone_has_the_added_tokens_too(tmp_path):
    tokenizer = Tokenizer.byte_level().with_added_tokens(CHAT).with_added_tokens(
        ["<tool>"], special=False)
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    same(Tokenizer.load(tmp_path), tokenizer)


def test_control_tokens_come_at_the_end_and_are_one_id_each(tokenizer, tmp_path):
    before = tokenizer.vocab_size
    chat = tokenizer.with_added_tokens(CHAT)
    assert tokenizer.vocab_size == before == chat.vocab_size - 2
    assert chat.special_tokens == tokenizer.special_tokens | {
        "<|im_start|>": before, "<|im_end|>": before + 1}
    ids = chat.encode("a<|im_start|>b<|im_end|>", special_tokens=True).tolist()
    assert ids == [*tokenizer.encode("a"), before, *tokenizer.encode("b"), before + 1]
    assert chat.decode(ids) == "ab"
    assert chat.token_byte_lengths().tolist() == [*tokenizer.token_byte_lengths(), 0, 0]
    assert chat.encode(TEXTS[0]).tolist() == tokenizer.encode(TEXTS[0]).tolist()
    assert chat.fingerprint() != tokenizer.fingerprint()
    assert chat.eos_token_id == tokenizer.eos_token_id
    chat.save(tmp_path)
    same(load_tokenizer(tmp_path), chat)
    as_transformers(tmp_path, chat)
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs.all_special_tokens == [END_OF_TEXT, *CHAT]


def test_adding_again_changes_nothing(tokenizer, tmp_path):
    chat = tokenizer.with_added_tokens(CHAT)
    for again in (chat.with_added_tokens(CHAT), chat.with_added_tokens([END_OF_TEXT, CHAT[1]]),
                  chat.with_added_tokens([]), chat.with_added_tokens(CHAT, special=False),
                  tokenizer.with_added_tokens([CHAT[0], *CHAT])):
        same(again, chat)
        again.save(tmp_path / "again")
    chat.save(tmp_path / "chat")
    assert contents(tmp_path / "again") == contents(tmp_path / "chat")


def test_a_token_that_is_not_special_is_found_in_any_text(tokenizer):
    more = tokenizer.with_added_tokens(["<tool>", "\u00e9\u00e8"], special=False)
    first = tokenizer.vocab_size
    for special in (False, True):
        ids = more.encode("x<tool>\u00e9\u00e8", special_tokens=special).tolist()
        assert ids == [*tokenizer.encode("x"), first, first + 1]
    assert more.decode(ids) == "x<tool>\u00e9\u00e8"
    assert more.token_byte_lengths()[first:].tolist() == [6, 4]
    assert more.special_tokens == tokenizer.special_tokens
    special = more.with_added_tokens(["<tool>"])  # it keeps its id
    assert special.special_tokens["<tool>"] == first and special.vocab_size == more.vocab_size
    assert first not in special.encode("<tool>").tolist()


def test_a_part_of_plain_text_is_not_made_a_token_again(tokenizer):
    (made,) = tokenizer.encode("def").tolist()
    says = f"'def' cannot be added as a special token: plain text becomes its id {made} already"
    with pytest.raises(ValueError, match=says):
        tokenizer.with_added_tokens(["def"])
    same(tokenizer.with_added_tokens(["def"], special=False), tokenizer)


@pytest.mark.parametrize("wrong", ["", 3, None, "\ud800"])
def test_what_cannot_be_a_token(tokenizer, wrong):
    with pytest.raises(ValueError) as refused:
        tokenizer.with_added_tokens(["<a>", wrong])
    assert str(refused.value) == (
        f"a token to add must be a text of at least one character, got {wrong!r}")


@pytest.mark.parametrize("special", [True, False])
def test_the_fast_encoder_agrees_or_is_left_out(tokenizer, special):
    more = tokenizer.with_added_tokens([*CHAT, "return", "\u00e9"], special=special)
    texts = [*TEXTS, "return \u00e9 returned", "<|im_start|><|im_end|>" * 9]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids, offsets = more.encode_flat(texts)
        more.self_check(texts)
    for i, wanted in enumerate(more.encode_batch(texts)):
        assert ids[offsets[i] : offsets[i + 1]].tolist() == wanted.tolist()


def test_an_encoder_begun_from_the_file_is_not_taken_where_the_folder_adds_tokens(tmp_path):
    from data_tools.tokenizing import preload

    folder = byte_folder(tmp_path, {"added_tokens_decoder": {
        "257": {"content": "<tool>", "special": False, "normalized": False}}})
    preload.begin(folder)
    tokenizer = load_tokenizer(folder)
    assert tokenizer.encode_flat(["<tool>"])[0].tolist() == [257]


def test_a_vocabulary_entry_may_be_an_added_token_of_any_look(tmp_path):
    """In vocab.json without a merge: only the other file says that nothing is missing."""
    folder = byte_folder(tmp_path, pair=True)
    vocab = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(vocab | {"USER:": 257}))
    with pytest.raises(ValueError, match="merges are missing"):
        Tokenizer.load(folder)
    (folder / "added_tokens.json").write_text('{"USER:": 257}')
    assert Tokenizer.load(folder).encode("aUSER:").tolist() == [97, 257]


def test_an_earlier_tokenizers_files_do_not_come_back(tokenizer, tmp_path):
    (tmp_path / "chat_template.jinja").write_text("old")
    tokenizer.with_added_tokens(CHAT).save(tmp_path)
    tokenizer.save(tmp_path)
    same(Tokenizer.load(tmp_path), tokenizer)


def test_a_file_of_another_name_stands_alone(tokenizer, tmp_path):
    byte_folder(tmp_path, {"eos_token": "<|im_end|>", "chat_template": "x"})
    (tmp_path / "tokenizer.json").rename(tmp_path / "mine.json")
    same(Tokenizer.load(tmp_path / "mine.json"), Tokenizer.byte_level())


def test_how_a_token_is_found_is_kept(tmp_path):
    library = twin(Tokenizer.byte_level()._prompt)
    library.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False, special=True)])
    tokenizer = Tokenizer(library)
    tokenizer.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert again.encode("a  <mask>b", special_tokens=True).tolist() == [97, 257, 98]
    as_transformers(tmp_path, again)
