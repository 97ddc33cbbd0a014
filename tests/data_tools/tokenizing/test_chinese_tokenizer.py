"""Chinese text through words and SentencePiece, with CPM's model and with one trained here."""

import io
import json
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from data_tools.tokenizing.chinese_tokenizer import ChineseTokenizer
from data_tools.tokenizing.tokenizer import Tokenizer, load_tokenizer

WELCOME = "\u6b22\u8fce\u4f7f\u7528\u767e\u5ea6\u98de\u6868\uff01"
CODE = "hello world\n  def f(x): return 1"
WIDE_END = "\uff1ceod\uff1e"  # what NFKC makes <eod> of


@pytest.fixture(scope="module")
def cpm_file():
    here = Path(__file__).parents[3]
    shared = Path(os.environ.get("GPT_SHARED_DATA", here.parent / "shared" / "data"))
    if not (shared / "cpm" / "chinese_vocab.model").exists():
        pytest.skip(f"CPM's vocabulary is not in {shared}; set GPT_SHARED_DATA")
    return shared / "cpm" / "chinese_vocab.model"


@pytest.fixture(scope="module")
def cpm(cpm_file):
    pytest.importorskip("jieba")
    return ChineseTokenizer.load(cpm_file)


def trained(**options) -> bytes:
    """A model of some 60 pieces, made of a few lines."""
    sentencepiece, model = pytest.importorskip("sentencepiece"), io.BytesIO()
    lines = ["\u2582 \u2583 ab abc b c", "\u4f60 \u597d \u4f60\u597d", "< e o d > eod def x 1 2"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 20), model_writer=model, vocab_size=320,
        hard_vocab_limit=False, minloglevel=3, **options
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def tiny() -> bytes:
    return trained(user_defined_symbols=["<eod>"])


def test_cpm_golden_ids(cpm):
    assert cpm.encode(WELCOME).tolist() == [2092, 260, 1014, 1596, 17620, 45]
    assert cpm.decode([2092, 260, 1014, 1596, 17620, 45]) == WELCOME.replace("\uff01", "!")
    assert (cpm.vocab_size, cpm.eos_token_id, cpm.unk_token_id) == (30000, 7, 0)
    assert cpm.encode("\n").tolist() == [8, 3] and cpm.encode(" ").tolist() == [8, 10]
    assert cpm.encoder.startswith("jieba ") and " + sentencepiece " in cpm.encoder
    assert cpm.holds_gil


def test_cpm_decodes_as_paddlenlp_does(cpm, cpm_file):
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_file=str(cpm_file))
    for text in [WELCOME, CODE, "a\u2582b\u2583c\u2581d", "\U0001f44d \u00e9\t\u3000x", ""]:
        ids = cpm.encode(text).tolist()
        theirs = pieces.decode(ids).replace(" ", "")
        assert cpm.decode(ids) == theirs.replace("\u2582", " ").replace("\u2583", "\n")
        assert cpm.decode_bytes(ids) == cpm.decode(ids).encode()
        assert cpm.token_byte_lengths()[ids].sum() == len(cpm.decode_bytes(ids))
    assert cpm.decode(cpm.encode(CODE)) == CODE


def test_cpm_end_token_in_a_text_is_letters(cpm, cpm_file):
    split = ChineseTokenizer.load(cpm_file, presplit="|")
    for tokenizer in (cpm, split):
        for text in ("<eod>", f"a {WIDE_END} b", "x<eod>\n<eod>"):
            ids = tokenizer.encode(text)
            assert 7 not in ids
            assert "<eod>" in tokenizer.decode(ids)
    assert cpm.encode("a<eod>b", special_tokens=True).tolist().count(7) == 1
    assert cpm.decode([7]) == ""


def test_what_the_vocabulary_lacks_can_be_counted(cpm):
    ids, offsets = cpm.encode_flat(["\U0001f44d\U0001f642", WELCOME])
    assert offsets.tolist() == [0, 4, 10]  # a joining space before each of two words
    assert (ids == cpm.unk_token_id).tolist() == [False, True] * 2 + [False] * 6
    assert cpm.decode(ids[:4]) == "\u2047\u2047"


def test_words_that_the_text_has_already(tiny):
    tokenizer = ChineseTokenizer(tiny, presplit=" ")
    words = ["ab", "\u4f60\u597d", "\n", "x"]
    assert tokenizer.decode(tokenizer.encode(" ".join(words))) == "".join(words)
    assert tokenizer.encode("ab  x").tolist() == tokenizer.encode("ab x").tolist()
    other = ChineseTokenizer(tiny, presplit="/")
    assert other.encode("ab/\u4f60\u597d/\n/x").tolist() == tokenizer.encode(
        " ".join(words)
    ).tolist()
    assert other.decode(other.encode("ab x/c")) == "ab xc"
    assert tokenizer.encoder.startswith("sentencepiece ")


def test_an_end_token_that_the_model_always_takes_whole(tiny):
    tokenizer = ChineseTokenizer(tiny, presplit=" ")
    end = tokenizer.eos_token_id
    for text in ("<eod>", "ab <eod> x", "ab<eod>", WIDE_END):
        assert end not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode("ab <eod> x")) == "ab<eod>x"
    ids = tokenizer.encode("ab <eod> x", special_tokens=True).tolist()
    assert ids == [*tokenizer.encode("ab"), end, *tokenizer.encode("x")]


def test_forms_of_the_ids(tiny):
    tokenizer, texts = ChineseTokenizer(tiny, presplit=" "), ["ab c", "", "x"]
    ids, offsets = tokenizer.encode_flat(texts)
    rows = tokenizer.encode_batch(texts)
    assert (ids.dtype, offsets.dtype, rows[1].dtype) == (np.uint32, np.int64, np.int32)
    assert [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)] == [
        row.tolist() for row in rows
    ]
    assert tokenizer.encode_flat([])[1].tolist() == [0]
    with pytest.raises(ValueError, match="9999 is outside"):
        tokenizer.decode([9999])


def test_saved_reopened_and_sent_to_another_process(tiny, tmp_path):
    tokenizer = ChineseTokenizer(tiny, presplit="/")
    tokenizer.save(tmp_path / "t")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == [
        "segmentation.json", "sentencepiece.model",
    ]
    copies = [load_tokenizer(tmp_path / "t"), pickle.loads(pickle.dumps(tokenizer))]
    for copy in copies:
        assert copy.encode("ab/c x").tolist() == tokenizer.encode("ab/c x").tolist()
        assert copy.fingerprint() == tokenizer.fingerprint()
    others = [ChineseTokenizer(tiny), ChineseTokenizer(tiny, presplit=" "),
              ChineseTokenizer(trained(user_defined_symbols=["<eod>", "x1"]), presplit="/")]
    assert len({tokenizer.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_what_lies_in_a_folder_decides(tiny, tokenizer, tmp_path):
    (tmp_path / "any.model").write_bytes(tiny)
    for path in (tmp_path, tmp_path / "any.model"):
        assert isinstance(load_tokenizer(path), ChineseTokenizer)
    (tmp_path / "second.model").write_bytes(tiny)
    with pytest.raises(ValueError, match="no tokenizer at"):
        load_tokenizer(tmp_path)
    tokenizer.save(tmp_path)
    assert isinstance(load_tokenizer(tmp_path), Tokenizer)


def test_other_models(tmp_path):
    plain = ChineseTokenizer(trained(byte_fallback=True), presplit=" ")
    assert plain.eos_token_id == 2  # </s>, which no text makes
    assert plain.decode(plain.encode("ab \U0001f642")) == "ab\U0001f642"
    assert 2 not in plain.encode("</s> ab")
    without = ChineseTokenizer(trained(eos_id=-1, bos_id=-1), presplit=" ")
    with pytest.raises(ValueError, match="has no end token"):
        _ = without.eos_token_id
    assert without.decode(without.encode("ab c")) == "abc"


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (b"no model", None, "is not a SentencePiece model"),
        (b"", None, "is not a SentencePiece model"),
        (None, None, "no SentencePiece model at"),
        ("tiny", "{", "does not say how text is cut"),
        ("tiny", '{"segmenter": "jieba"}', "does not say how text is cut"),
        ("tiny", '{"segmenter": "scissors", "presplit": null}', "'scissors' is not known"),
        ("tiny", '{"segmenter": "jieba", "presplit": " "}', "needs no jieba"),
        ("tiny", '{"segmenter": null, "presplit": ""}', "cannot be empty"),
    ],
)
def test_what_cannot_be_opened(tiny, tmp_path, content, settings, message):
    if content is not None:
        (tmp_path / "sentencepiece.model").write_bytes(tiny if content == "tiny" else content)
    if settings is not None:
        (tmp_path / "segmentation.json").write_text(settings)
    with pytest.raises(ValueError, match=message):
        ChineseTokenizer.load(tmp_path)


@pytest.mark.parametrize(("segmenter", "package"), [("jieba", "jieba"), ("lac", "LAC")])
def test_a_missing_segmenter_is_named_before_work_begins(tiny, monkeypatch, segmenter, package):
    monkeypatch.setitem(sys.modules, package, None)  # import: ImportError
    tokenizer = ChineseTokenizer(tiny, segmenter=segmenter)
    assert tokenizer.decode([]) == ""  # decoding needs no words
    with pytest.raises(ValueError, match=f"pip install {package}"):
        tokenizer.self_check([])


def test_words_by_lac(tiny, monkeypatch):
    class LAC:
        def __init__(self, mode):
            assert mode == "lac"

        def run(self, text):
            return [text[:2], text[2:]], ["n", "n"]

    monkeypatch.setitem(sys.modules, "LAC", types.SimpleNamespace(LAC=LAC))
    tokenizer = ChineseTokenizer(tiny, segmenter="lac")
    split = ChineseTokenizer(tiny, presplit="/")
    assert tokenizer.encode("abx").tolist() == split.encode("ab/x").tolist()


def test_a_chat_template_is_kept_and_rendered(tiny, tmp_path):
    ChineseTokenizer(tiny, presplit=" ").save(tmp_path / "given")
    assert not (tmp_path / "given" / "tokenizer_config.json").exists()
    (tmp_path / "given" / "chat_template.jinja").write_text(
        "{{ messages[0].content }}{{ eos_token }}")
    ChineseTokenizer.load(tmp_path / "given").save(tmp_path / "saved")
    loaded = pickle.loads(pickle.dumps(load_tokenizer(tmp_path / "saved")))
    text = loaded.apply_chat_template([{"role": "user", "content": "ab"}])
    assert text == "ab<eod>"
    assert loaded.encode(text, special_tokens=True)[-1] == loaded.eos_token_id
    assert loaded.fingerprint() == ChineseTokenizer(tiny, presplit=" ").fingerprint()


def test_an_end_token_that_is_named_ends_documents(tiny, tmp_path):
    plain = ChineseTokenizer(tiny, presplit=" ")
    plain.save(tmp_path, model_max_length=64)
    config = tmp_path / "tokenizer_config.json"
    assert json.loads(config.read_text()) == {"model_max_length": 64}
    config.write_text(json.dumps({"eos_token": "</s>", "chat_template": "x"}))
    named = load_tokenizer(tmp_path)
    assert named._pieces.id_to_piece(named.eos_token_id) == "</s>"
    for again in (pickle.loads(pickle.dumps(named)), plain.named_as(named)):
        assert (again.eos_token_id, again.chat_template) == (named.eos_token_id, "x")
    named.save(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved").eos_token_id == named.eos_token_id
    assert named.fingerprint() == plain.fingerprint() and named.eos_token_id != plain.eos_token_id
    config.write_text(json.dumps({"eos_token": "<none>"}))
    assert load_tokenizer(tmp_path).eos_token_id == plain.eos_token_id


def test_no_tokens_are_added_to_a_sentencepiece_model(tiny):
    with pytest.raises(ValueError, match="takes no added tokens: they must be in its model"):
        ChineseTokenizer(tiny, presplit=" ").with_added_tokens(["<a>"])
