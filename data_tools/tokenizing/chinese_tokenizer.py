"""Chinese text to the ids of a SentencePiece model: the scheme of CPM and of PaddleNLP's GPT.

A text is cut into words, a space in it written as U+2582 and a newline as U+2583, and the words,
joined by spaces, are encoded by SentencePiece (GPTChineseTokenizer in PaddleNLP). This loses text:
the model's own normalization (NFKC for CPM) makes wide letters narrow and drops tabs, carriage
returns and U+3000; characters that it lacks become `<unk>`; of the marks themselves U+2582 and
U+2583 decode to a space and a newline, and U+2581, SentencePiece's own, to nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from data_tools.tokenizing.chat_template import WithChatTemplate
from data_tools.tokenizing.chinese_words import (
    Cut,
    checked_segmentation,
    read_segmentation,
    segmenter_version,
    words_by,
)
from data_tools.tokenizing.fast_encoder import flat
from data_tools.tokenizing.tokenizer_config import CONFIG, TokenizerConfig, entries

SPACE, NEWLINE = "\u2582", "\u2583"
MODEL_FILE, SETTINGS_FILE = "sentencepiece.model", "segmentation.json"
END_TOKENS = ("<eod>", "<|endoftext|>", "</s>")  # CPM has the last one too, but does not use it


class ChineseTokenizer(WithChatTemplate):
    """Words, then SentencePiece; the interface of tokenizer.Tokenizer.

    Words come from jieba or lac, or stand in the text already: `presplit` is then what stands
    between them, which is no part of the text. `model` is the content of a .model file. The ids
    depend on the words, so on the segmenter's version too.
    """

    holds_gil = True  # jieba is Python

    def __init__(self, model: bytes, *, segmenter: str | None = None, presplit: str | None = None,
                 origin: str = "the model", config: TokenizerConfig | None = None):
        """config: its eos_token and chat template are used."""
        self.segmenter, self.presplit = checked_segmentation(segmenter, presplit)
        self._model, self._pieces = model, _processor(model, origin)
        self._config = config or TokenizerConfig()
        self.chat_template = self._config.chat_template

    def __reduce__(self):
        return partial(ChineseTokenizer, self._model, segmenter=self.segmenter,
                       presplit=self.presplit, config=self._config), ()

    @classmethod
    def load(cls, path: str | os.PathLike, *, segmenter: str | None = None,
             presplit: str | None = None) -> ChineseTokenizer:
        """From a .model file, or a folder with one; without arguments cut as the folder says."""
        file = find_model(path)
        if file is None:
            raise ValueError(f"no SentencePiece model at {path}: expected {MODEL_FILE}")
        given = {"segmenter": segmenter, "presplit": presplit}
        if given == {"segmenter": None, "presplit": None}:
            given = read_segmentation(file.parent / SETTINGS_FILE) or given
        return cls(file.read_bytes(), **given, origin=str(file),
                   config=TokenizerConfig.read(file.parent))

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """ids uint32 [tokens], offsets int64 [texts + 1]."""
        return flat([np.array(self._ids(text), dtype=np.uint32) for text in texts])

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One int32 array of ids per text; the end token's letters in a text are only letters."""
        return [self.encode(text) for text in texts]

    def encode(self, text: str, *, special_tokens: bool = False) -> np.ndarray:
        """int32 ids; with special_tokens, `<eod>` in the text becomes its own id."""
        if not special_tokens:
            return np.array(self._ids(text), dtype=np.int32)
        first, *others = text.split(self._pieces.id_to_piece(self.eos_token_id))
        ids = self._ids(first)
        for part in others:
            ids += [self.eos_token_id, *self._ids(part)]
        return np.array(ids, dtype=np.int32)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The text of the ids, in UTF-8; the end token and its like give nothing."""
        spelled = self._spelled
        out = []
        for i in ids:
            if not 0 <= i < len(spelled):
                raise ValueError(f"token id {i} is outside the vocabulary of {len(spelled)}")
            out.append(spelled[i])
        return b"".join(out)

    def decode(self, ids: Iterable[int]) -> str:
        """decode_bytes as text; `<unk>` is U+2047, two question marks."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def token_byte_lengths(self) -> np.ndarray:
        """int32 [vocab_size]: bytes of text each token decodes to; of `<unk>` a guess."""
        return np.array([len(piece) for piece in self._spelled], dtype=np.int32)

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    @cached_property
    def eos_token_id(self) -> int:
        """The id that ends a document: of the eos_token in tokenizer_config.json, else of `<eod>`,
        else of the first other known name."""
        for token in (self._config.names.get("eos_token", END_TOKENS[0]), *END_TOKENS):
            i = self._pieces.piece_to_id(token)
            if i != self._pieces.unk_id():
                return i
        raise ValueError(f"the vocabulary has no end token: looked for {' '.join(END_TOKENS)}")

    @property
    def special_tokens(self) -> dict[str, int]:
        """The end token alone; other control pieces of the model are not used."""
        end = self.eos_token_id
        return {self._pieces.id_to_piece(end): end}

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """eos_token alone, for a chat template."""
        return dict.fromkeys(["eos_token"], *self.special_tokens)

    def named_as(self, other: ChineseTokenizer) -> ChineseTokenizer:
        """See AnyTokenizer.named_as."""
        return ChineseTokenizer(self._model, segmenter=self.segmenter, presplit=self.presplit,
                                config=self._config.named_as(other._config))

    def with_added_tokens(self, tokens: Iterable[str], *, special: bool = True) -> ChineseTokenizer:
        """ValueError: the vocabulary is a part of SentencePiece's model."""
        raise ValueError("a SentencePiece tokenizer takes no added tokens: they must be in its "
                         "model when it is trained")

    @property
    def unk_token_id(self) -> int:
        """The id of characters that the vocabulary lacks; its share of the ids is what was lost."""
        return self._pieces.unk_id()

    @property
    def encoder(self) -> str:
        """ "jieba 0.42.1 + sentencepiece 0.2.1"; without a segmenter the second alone."""
        names = segmenter_version(self.segmenter), f"sentencepiece {version('sentencepiece')}"
        return " + ".join(filter(None, names))

    def warm_up(self) -> None:
        """Does nothing: a thread that read the segmenter's dictionary would hold Python's lock."""

    def self_check(self, texts: Sequence[str]) -> None:
        """ValueError where the segmenter is not installed; there is no second encoder to ask."""
        _ = self._cut

    def fingerprint(self) -> str:
        """sha256 (hex) of the model and of how text is cut into words."""
        settings = json.dumps(self._settings, sort_keys=True).encode("ascii")
        return hashlib.sha256(self._model + b"\0" + settings).hexdigest()

    def save(self, directory: str | os.PathLike, *, model_max_length: int | None = None) -> None:
        """Write sentencepiece.model, as PaddleNLP reads it, and segmentation.json; with names, a
        chat template or a model's length tokenizer_config.json too."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MODEL_FILE).write_bytes(self._model)
        (directory / SETTINGS_FILE).write_text(json.dumps(self._settings, indent=2) + "\n")
        if told := self._config.names | entries(self.chat_template, model_max_length):
            (directory / CONFIG).write_text(json.dumps(told, indent=2) + "\n")

    @property
    def _settings(self) -> dict:
        return {"segmenter": self.segmenter, "presplit": self.presplit}

    def _ids(self, text: str) -> list[int]:
        words = (word.translate(_MARKS) for word in self._cut(text) if word)
        ids = self._pieces.encode(" ".join(words))
        if self._end is None or self._end not in ids:
            return ids
        # Its letters as a word of their own, wide ones too, which only the model makes narrow.
        return [j for i in ids for j in (self._end_letters if i == self._end else (i,))]

    @cached_property
    def _end(self) -> int | None:
        try:
            return self.eos_token_id
        except ValueError:
            return None

    @cached_property
    def _end_letters(self) -> list[int]:
        return [self._pieces.piece_to_id(c) for c in self._pieces.id_to_piece(self._end)]

    @cached_property
    def _cut(self) -> Cut:
        return words_by(self.segmenter, self.presplit)

    @cached_property
    def _spelled(self) -> list[bytes]:
        return list(_spelled_pieces(self._pieces, self._end))


_MARKS = str.maketrans({" ": SPACE, "\n": NEWLINE})


def find_model(path: str | os.PathLike) -> Path | None:
    """The .model file at `path`; in a folder sentencepiece.model, else the only one."""
    path = Path(path)
    if path.is_dir():
        files = [file for file in [path / MODEL_FILE] if file.exists()] or [*path.glob("*.model")]
        return files[0] if len(files) == 1 else None
    return path if path.suffix.lower() == ".model" and path.is_file() else None


def _processor(model: bytes, origin: str):
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        raise ValueError(f"{origin} needs SentencePiece: pip install sentencepiece") from None
    try:
        pieces = SentencePieceProcessor()
        pieces.LoadFromSerializedProto(model)
        return pieces
    except (RuntimeError, OSError, ValueError):
        raise ValueError(f"{origin} is not a SentencePiece model") from None


def _spelled_pieces(pieces, end: int | None) -> Iterator[bytes]:
    """The text of each piece; SentencePiece writes the joining spaces as U+2581."""
    for i in range(len(pieces)):
        piece = pieces.id_to_piece(i)
        if pieces.is_byte(i):
            yield bytes([int(piece[3:5], 16)])
        elif i == end or pieces.is_control(i) or pieces.is_unused(i):
            yield b""
        elif pieces.is_unknown(i):
            yield "\u2047".encode()
        else:
            text = piece.replace("\u2581", "").replace(SPACE, " ").replace(NEWLINE, "\n")
            yield text.encode()
