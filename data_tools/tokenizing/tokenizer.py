"""Byte-level BPE: load, train, encode, decode to exact bytes, save as transformers reads it.

Only lossless tokenizers are accepted: those for which decode_bytes(encode(text)) gives the bytes of
the text. SentencePiece loses some text; chinese_tokenizer.py is for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import AddedToken, models

from data_tools.tokenizing import added_tokens, tokenizer_config
from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from data_tools.tokenizing.bpe_files import byte_of_symbol, find_files
from data_tools.tokenizing.bpe_training import train
from data_tools.tokenizing.chat_template import WithChatTemplate
from data_tools.tokenizing.fast_encoder import FlatEncoder
from data_tools.tokenizing.lossless import loss
from data_tools.tokenizing.opening import byte_level, from_pair, open_files
from data_tools.tokenizing.rust_tokenizer import fingerprint, settings, twin
from data_tools.tokenizing.tokenizer_config import TokenizerConfig

END_OF_TEXT = "<|endoftext|>"
END_TOKENS = (END_OF_TEXT, "</s>", "<eod>", "<|end_of_text|>", "<eos>", "[EOS]")


class Tokenizer(WithChatTemplate):
    """A byte-level BPE tokenizer whose ids run from 0 to vocab_size - 1 without a gap.

    Text encodes as plain text: a source file that contains the characters `<|endoftext|>` gets
    the ids of its letters, never the end-of-document id. Only encode(special_tokens=True), for
    prompts written on purpose, recognises special tokens.
    """

    holds_gil = False
    unk_token_id = None  # 256 bytes spell any text

    def __init__(self, tokenizer: tokenizers.Tokenizer, origin: str = "the tokenizer",
                 file: Path | None = None, config: TokenizerConfig | None = None):
        """file: the tokenizer.json that says the same as `tokenizer`."""
        # Without truncation and padding: a tokenizer.json may carry either, and both lose text.
        self._prompt = twin(tokenizer)
        self._settings = settings(self._prompt)
        self._vocab: dict[str, int] = self._prompt.get_vocab(with_added_tokens=True)
        self._added = {token["content"] for token in self._settings["added_tokens"]}
        self._special = {t["content"] for t in self._settings["added_tokens"] if t["special"]}
        self._config = config or TokenizerConfig()
        self.chat_template = self._config.chat_template
        # Two objects, because switching one of them would change it for other threads, too.
        self._plain = twin(self._prompt)
        self._plain.encode_special_tokens = True
        self._flat = FlatEncoder(self._plain, file)
        self._check(origin)

    def __reduce__(self):
        # The library forgets encode_special_tokens when pickled, as for a worker process.
        return Tokenizer, (self._prompt, "the tokenizer", None, self._config)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Tokenizer:
        """From a tokenizer.json, or a folder with tokenizer.json or vocab.json + merges.txt.

        Special tokens, added tokens and the chat template come from the files beside it.
        """
        return cls(*open_files(path))

    @classmethod
    def from_vocab_and_merges(
        cls, vocab_file: str | os.PathLike, merges_file: str | os.PathLike
    ) -> Tokenizer:
        """From GPT-2's pair of files; the merges may lack the `#version` line."""
        return cls(from_pair(vocab_file, merges_file), str(vocab_file))

    @classmethod
    def byte_level(cls) -> Tokenizer:
        """Without merges: a byte is its own id, 0 to 255, and `<|endoftext|>` is 256."""
        tokenizer = byte_level(models.BPE(vocab=byte_of_symbol() | {END_OF_TEXT: 256}, merges=[]))
        tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=False)])
        return cls(tokenizer)

    @classmethod
    def train(cls, texts: Iterable[str | list[str]], vocab_size: int) -> Tokenizer:
        """Learn merges from texts, single or in lists; a small corpus can give fewer tokens.

        `<|endoftext|>` is id 0 and the 256 bytes follow, so any text can be encoded. The same
        texts in the same order give the same tokenizer.
        """
        tokenizer = byte_level(models.BPE())
        train(tokenizer, texts, vocab_size, END_OF_TEXT)
        return cls(tokenizer)

    def named_as(self, other: Tokenizer) -> Tokenizer:
        """See AnyTokenizer.named_as."""
        return Tokenizer(self._prompt, config=self._config.named_as(other._config))

    def with_added_tokens(self, tokens: Iterable[str], *, special: bool = True) -> Tokenizer:
        """A tokenizer that has each of `tokens` as one id, the new ones at the end, in order.

        special: only encode(special_tokens=True) recognises them, and they decode to nothing, as
        for control tokens of a chat; else they are found in any text. What is there already keeps
        its id. A special `<pad>` is the pad_token unless there is one. ValueError for an empty
        text, and for a special token that plain text becomes.
        """
        library, tokens = twin(self._prompt), list(tokens)
        added_tokens.add(library, tokens, special)
        config = self._config.with_special(tokens, self.special_tokens_map) if special else None
        return Tokenizer(library, config=config or self._config)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """One int32 array of ids per text, in parallel; special tokens in a text are plain text."""
        encodings = self._plain.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """encode_batch in one piece: ids uint32 [tokens], offsets int64 [texts + 1].

        Text i has ids[offsets[i]:offsets[i + 1]], not to be written to. See fast_encoder.
        """
        return self._flat.encode(texts)

    @property
    def encoder(self) -> str:
        """What encode_flat runs on: "fastokens 0.3.5", or "tokenizers 0.23.3"."""
        return self._flat.name

    def self_check(self, texts: Sequence[str]) -> None:
        """Compare encode_flat with encode_batch; if they differ, warn, and drop the fast one."""
        self._flat.self_check(texts)

    def warm_up(self) -> None:
        """Let a thread build what encode_flat runs on, while the caller reads its first texts."""
        self._flat.warm_up()

    def encode(self, text: str, *, special_tokens: bool = False) -> np.ndarray:
        """int32 ids; with special_tokens, `<|endoftext|>` and its like become their own ids."""
        tokenizer = self._prompt if special_tokens else self._plain
        return np.array(tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int32)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The exact bytes, also when `ids` cut a character in two; special tokens give nothing."""
        pieces = self._token_bytes
        out = []
        for i in ids:
            if not 0 <= i < len(pieces):
                raise ValueError(f"token id {i} is outside the vocabulary of {len(pieces)}")
            out.append(pieces[i])
        return b"".join(out)

    def decode(self, ids: Iterable[int]) -> str:
        """decode_bytes as text, with U+FFFD where the bytes are not UTF-8."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def token_byte_lengths(self) -> np.ndarray:
        """int32 [vocab_size]: bytes of text each token stands for, 0 for special tokens.

        Turns a loss per token into one per byte, which compares across vocabularies.
        """
        return np.array([len(piece) for piece in self._token_bytes], dtype=np.int32)

    @property
    def vocab_size(self) -> int:
        """All tokens, added ones included; the model's embedding needs at least as many rows."""
        return len(self._vocab)

    @cached_property
    def eos_token_id(self) -> int:
        """The id that ends a document: of the eos_token in the tokenizer's files, else of
        `<|endoftext|>`, else of the first other known name. ValueError where there is none."""
        declared = self._config.names.get("eos_token")
        if declared in self._vocab and declared not in self._special:
            raise ValueError(f"the end token {declared!r} is a part of plain text too, so it "
                             "cannot mark the end of a document")
        for token in (declared, *END_TOKENS):
            if token in self._special:
                return self._vocab[token]
        raise ValueError(f"the vocabulary has no end token: looked for {' '.join(END_TOKENS)}")

    @property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the tokens that no plain text becomes."""
        return {token: self._vocab[token] for token in self._special}

    @cached_property
    def special_tokens_map(self) -> dict[str, str]:
        """Texts by the names bos_token, eos_token and so on."""
        end = [token for token in END_TOKENS if token in self._special][:1]
        return tokenizer_config.named(self._config.names, *end)

    def fingerprint(self) -> str:
        """sha256 (hex) of vocabulary, merges and special tokens, whichever files they came from.

        Not of the chat template, nor of which token is called eos_token: they change no id.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._prompt, self._special)

    def save(self, directory: str | os.PathLike, *, model_max_length: int | None = None) -> None:
        """Write the files that transformers.AutoTokenizer.from_pretrained(directory) reads.

        tokenizer.json has all but names and template; added_tokens.json goes with vocab.json.
        model_max_length: the positions of the model that it is saved with.
        """
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self._prompt.save(str(directory / "tokenizer.json"))
        self._prompt.model.save(str(directory))  # vocab.json, merges.txt
        tokenizer_config.write(directory, self._prompt, self.special_tokens_map,
                               self._config.more, self.chat_template, model_max_length)

    @cached_property
    def _token_bytes(self) -> list[bytes]:
        alphabet, pieces = byte_of_symbol(), [b""] * self.vocab_size
        for token, i in self._vocab.items():
            if token in self._special:
                continue
            spelled = token not in self._added and alphabet.keys() >= set(token)
            pieces[i] = bytes(map(alphabet.get, token)) if spelled else token.encode("utf-8")
        return pieces

    def _check(self, origin: str) -> None:
        """Refuse what would lose or change text, or let a document's text become an end id."""
        problem = loss(self._settings, self._vocab)
        declared = self._config.names.get("eos_token") in self._special
        known_end = [t for t in END_TOKENS if t in self._added and t not in self._special]
        if problem is None and known_end and not declared:
            problem = f"{known_end[0]} is an added token but not marked special"
        if problem is None and set(self._vocab.values()) != set(range(len(self._vocab))):
            problem = f"its {len(self._vocab)} ids are not 0..{len(self._vocab) - 1}"
        for token in sorted(self._special) if problem is None else ():
            if self._vocab[token] in self._plain.encode(token, add_special_tokens=False).ids:
                problem = f"the special token {token!r} cannot be told from the same text"
        if problem is not None:
            raise ValueError(f"{origin} cannot be used, expected lossless byte-level BPE: "
                             f"{problem}")


def load_tokenizer(path: str | os.PathLike) -> AnyTokenizer:
    """Whichever kind lies at `path`, a folder or a file."""
    if find_files(path):
        return Tokenizer.load(path)
    from data_tools.tokenizing.chinese_tokenizer import ChineseTokenizer, find_model

    if find_model(path):
        return ChineseTokenizer.load(path)
    raise ValueError(
        f"no tokenizer at {path}: expected tokenizer.json, vocab.json and merges.txt, or a "
        "SentencePiece .model"
    )
