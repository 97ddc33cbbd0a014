"""Open the dataset, or the blend of several by weights, that --input_dir names."""

import math
import os
import shlex
from dataclasses import dataclass

from data_tools.token_files.token_file import TokenFile, find_prefixes
from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl.config.options import require

READ_THROUGH = 1 << 26  # datasets of up to so many ids (256 MiB) are always read through


@dataclass(frozen=True)
class Datasets:
    """The datasets that --input_dir names, and the weights of a blend, not normalized."""

    tokens: tuple[TokenFile, ...]
    weights: tuple[float, ...]

    @property
    def eos_token_id(self) -> int | None:
        """The id that ends documents; None if the data do not say."""
        return next((eos for tokens in self.tokens if (eos := _eos(tokens)) is not None), None)

    @property
    def vocab_size(self) -> int | None:
        """The tokens of the vocabulary that the data were made with; None if one does not say."""
        told = [(tokens.meta or {}).get("vocab_size") for tokens in self.tokens]
        return None if None in told else max(told)

    def __str__(self) -> str:
        total = sum(len(tokens.ids) for tokens in self.tokens)
        if len(self.tokens) == 1:
            return f"{self.tokens[0].prefix}, {total:,} tokens"
        parts = zip(self.weights, self.tokens, strict=True)
        blend = " ".join(f"{weight:g} {tokens.prefix}" for weight, tokens in parts)
        return f"blend {blend}, {total:,} tokens"


def open_datasets(input_dir: str) -> Datasets:
    """The one dataset, or all of a blend such as "0.3 A 0.7 B".

    ValueError if none is found, if datasets of a blend were made with different tokenizers or end
    tokens, or if one is named twice.
    """
    blend = parse_blend(input_dir) or [(1.0, input_dir)]
    data = Datasets(
        tuple(open_dataset(path) for _, path in blend), tuple(weight for weight, _ in blend)
    )
    made_with = {
        fingerprint: tokens.prefix for tokens in reversed(data.tokens)
        if (fingerprint := (tokens.meta or {}).get("tokenizer_fingerprint"))
    }
    if len(made_with) > 1:
        (one, first), (other, second) = sorted(made_with.items(), key=lambda item: item[1])[:2]
        raise ValueError(
            f"{first} and {second} were made with different tokenizers (fingerprints {one[:12]} "
            f"and {other[:12]}): the same ids mean other text, blend data of one tokenizer"
        )
    for tokens in data.tokens:
        if _eos(tokens) not in (None, data.eos_token_id):
            raise ValueError(f"documents of {tokens.prefix} end in token {_eos(tokens)}, those of "
                             f"the others in {data.eos_token_id}: blend data of one tokenizer")
    prefixes = [os.path.realpath(tokens.prefix) for tokens in data.tokens]
    if len(set(prefixes)) < len(prefixes):
        raise ValueError(f"--input_dir {input_dir} names a dataset twice: add up its weights")
    return data


def open_dataset(input_dir: str) -> TokenFile:
    """The one dataset in input_dir; ValueError if there is none or more than one."""
    if parse_blend(input_dir):
        raise ValueError(f"--input_dir {input_dir} is a blend: name one of its datasets")
    prefixes = find_prefixes(input_dir)
    if len(prefixes) > 1:
        blend = " ".join(f"{1 / len(prefixes):.2g} {shlex.quote(prefix)}" for prefix in prefixes)
        raise ValueError(
            f"{input_dir} holds {len(prefixes)} datasets: name one of them with --input_dir "
            f"{prefixes[0]}_ids.npy, or blend them by weights with --input_dir {blend!r}"
        )
    return TokenFile.open(prefixes[0])


def parse_blend(input_dir: str) -> list[tuple[float, str]]:
    """[(weight, path), ...] of "0.3 A 0.7 B"; [] for a single path, which may hold spaces.

    In a blend, a path with spaces is quoted as in a shell. ValueError for an incomplete blend, or
    weights that are not above 0.
    """
    try:
        find_prefixes(input_dir)
        return []
    except ValueError:
        words = [] if os.path.exists(input_dir) else _words(input_dir)
    if len(words) < 2 or math.isnan(_number(words[0])):
        return []
    weights = [_number(word) for word in words[::2]]
    total = sum(weights)
    if len(words) % 2 or not total > 0 or not all(0 < w / total < math.inf for w in weights):
        raise ValueError(
            f"--input_dir {input_dir} is no blend: expected weight path weight path, as in "
            "'0.3 A 0.7 B', with weights above 0 of comparable size"
        )
    return list(zip(weights, words[1::2], strict=True))


def check_tokenizer(tokens: TokenFile, tokenizer: AnyTokenizer, whose: str = "the one given",
                    beside: AnyTokenizer | None = None) -> None:
    """ValueError if the dataset's meta file says that it was made with another tokenizer.

    whose: the tokenizer's name in the message. beside: the dataset's own tokenizer, which counts
    where the meta file does not tell.
    """
    made_with = (tokens.meta or {}).get("tokenizer_fingerprint")
    if made_with is None and beside is not None:
        made_with = beside.fingerprint()
    if made_with not in (None, tokenizer.fingerprint()):
        raise ValueError(
            f"{tokens.prefix} was made with another tokenizer (fingerprint {made_with[:12]}) than "
            f"{whose} ({tokenizer.fingerprint()[:12]}): the same ids mean other text"
        )


def check_ids(tokens: TokenFile, vocab_size: int) -> None:
    """ValueError if the dataset holds ids outside the vocabulary of the model.

    A large dataset is not read if its meta file names a vocabulary that fits: every process would
    read up to 22 GB before its first step. The loader checks the ids of each batch anyway.
    """
    told = (tokens.meta or {}).get("vocab_size")
    if told is not None and told <= vocab_size and len(tokens.ids) > READ_THROUGH:
        return
    low, high = tokens.id_range()
    require(0 <= low and high < vocab_size,
            f"{tokens.prefix}_ids.npy holds ids from {low} to {high}, the model's vocabulary is 0 "
            f"to {vocab_size - 1}: name a model with a larger one, or make the data with "
            f"--vocab_size {vocab_size}")


def _eos(tokens: TokenFile) -> int | None:
    return (tokens.meta or {}).get("eos_token_id")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an open quote
        return []


def _number(word: str) -> float:
    """The word's value, NaN where it is no number."""
    try:
        return float(word)
    except ValueError:
        return math.nan
