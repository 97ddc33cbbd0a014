"""What stands beside a vocabulary: names of special tokens, added tokens, chat templates.

    tokenizer_config.json    bos_token and its like, additional_special_tokens, chat_template,
                             added_tokens_decoder {id: token and how it is found}
    special_tokens_map.json  bos_token and its like again, additional_special_tokens
    added_tokens.json        {token: id}
    chat_template.jinja      the default template; others in additional_chat_templates/NAME.jinja

As transformers reads them: with an added_tokens_decoder the next two files are not looked at, and
templates in files of their own come before those in tokenizer_config.json.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import tokenizers
from tokenizers import AddedToken

NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
         "mask_token")
PAD = "<pad>"
CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
TEMPLATE, TEMPLATES = "chat_template.jinja", "additional_chat_templates"
MORE = ("extra_special_tokens", "additional_special_tokens")  # of transformers 5, and before


@dataclass(frozen=True)
class TokenizerConfig:
    """names: text of bos_token and so on. more: texts of special tokens without such a name.

    added: tokens by id, as the files give them. declared: all special tokens of names and more.
    chat_template: a template, or several by name.
    """

    names: dict[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    added: dict[int, AddedToken] = field(default_factory=dict)
    declared: tuple[AddedToken, ...] = ()
    chat_template: str | dict[str, str] | None = None

    @classmethod
    def read(cls, directory: str | os.PathLike) -> TokenizerConfig:
        """From a folder that may hold any of the files; ValueError names one that is damaged."""
        directory = Path(directory)
        config = _object(directory / CONFIG)
        listed = "added_tokens_decoder" in config
        told = _defaults(config, directory) | config
        told |= {} if listed else _object(directory / SPECIAL)
        names, more = {}, {}
        for name in NAMES:
            if told.get(name) is not None:
                names[name] = _special(told[name], name, directory)
        for key in MORE:
            values = told.get(key) or []
            if not isinstance(values, (list, dict)):
                raise ValueError(f"{directory}: {key} must be a list of tokens, got {values!r}")
            for value in values.values() if isinstance(values, dict) else values:
                token = _special(value, key, directory)
                more.setdefault(token.content, token)
        declared = (*names.values(), *more.values())
        special = {token.content for token in declared}
        if listed:
            added = _of_decoder(config["added_tokens_decoder"], directory)
        else:
            ids = _object(directory / ADDED)
            if not all(text and type(i) is int for text, i in ids.items()):
                raise ValueError(f"{directory / ADDED} must hold an id for each token")
            added = {i: AddedToken(text, special=text in special, normalized=text not in special)
                     for text, i in ids.items()}
        return cls({name: token.content for name, token in names.items()}, tuple(more), added,
                   declared, _chat_template(directory, config.get("chat_template")))

    def named_as(self, other: TokenizerConfig) -> TokenizerConfig:
        """With the names, special tokens and templates of `other`, as far as it has them."""
        return replace(self, names=other.names or self.names, more=other.more or self.more,
                       chat_template=other.chat_template or self.chat_template)

    def with_special(self, tokens: list[str], names: dict[str, str]) -> TokenizerConfig:
        """With these special tokens too. names: those that are in use, declared or not."""
        known = {*names.values(), *self.more}
        more = dict.fromkeys(token for token in tokens if token not in known)
        own = dict(self.names)
        if PAD in more and "pad_token" not in own:
            own["pad_token"] = PAD
            del more[PAD]
        return replace(self, names=own, more=(*self.more, *more))

    @property
    def texts(self) -> set[str]:
        """Every token that the files name."""
        return {token.content for token in (*self.added.values(), *self.declared)}


def beside(files: list[Path]) -> list[Path]:
    """What else says which ids a text has: the files that `read` finds beside a tokenizer.json, or
    vocab.json and merges.txt. A tokenizer.json under another name stands alone."""
    if len(files) == 1 and files[0].name != "tokenizer.json":
        return []
    found = (files[0].parent / name for name in (CONFIG, SPECIAL, ADDED))
    return [path for path in found if path.is_file()]


def named(names: dict[str, str], end: str | None = None) -> dict[str, str]:
    """`names` in the order of NAMES. Where no eos_token is among them, bos_token, eos_token and
    unk_token are `end` unless they are something else."""
    if "eos_token" not in names and end is not None:
        names = dict.fromkeys(("bos_token", "eos_token", "unk_token"), end) | names
    return {name: names[name] for name in NAMES if name in names}


def write(directory: Path, library: tokenizers.Tokenizer, names: dict[str, str],
          more: tuple[str, ...], chat_template: str | dict[str, str] | None,
          model_max_length: int | None = None) -> None:
    """Write what `read` finds; added_tokens.json where vocab.json lacks tokens of `library`."""
    own = library.get_vocab(with_added_tokens=False)
    added = {token: i for token, i in library.get_vocab().items() if token not in own}
    tokens = names | ({MORE[1]: list(more)} if more else {})
    config = {
        # As it stands in tokenizer.json; "GPT2Tokenizer" would be rebuilt from the pair.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,  # would turn " ." into "." when decoding
        **tokens,
        **entries(chat_template, model_max_length),
    }
    contents = {CONFIG: config, SPECIAL: tokens}
    if added:
        contents[ADDED] = dict(sorted(added.items(), key=lambda item: item[1]))
    for name, content in contents.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n")
    for name in {ADDED, TEMPLATE} - contents.keys():
        (directory / name).unlink(missing_ok=True)  # of an earlier tokenizer


def entries(chat_template: str | dict[str, str] | None, model_max_length: int | None) -> dict:
    """The templates and the length as tokenizer_config.json holds them."""
    if isinstance(chat_template, dict):
        chat_template = [{"name": name, "template": template}
                         for name, template in chat_template.items()]
    told = {"model_max_length": model_max_length, "chat_template": chat_template}
    return {name: value for name, value in told.items() if value is not None}


def _defaults(config: dict, directory: Path) -> dict[str, str]:
    """The names that transformers' class gives to tokens that no file names."""
    of_model = {"gpt2": "GPT2Tokenizer"}.get(_object(directory / "config.json").get("model_type"))
    if config.get("tokenizer_class", of_model) not in ("GPT2Tokenizer", "GPT2TokenizerFast"):
        return {}
    return dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")


def _chat_template(directory: Path, value) -> str | dict[str, str] | None:
    files = {path.stem: path for path in sorted((directory / TEMPLATES).glob("*.jinja"))}
    if (directory / TEMPLATE).is_file():
        files = {"default": directory / TEMPLATE} | files
    if files:
        own = {name: path.read_text(encoding="utf-8-sig") for name, path in files.items()}
        return own["default"] if own.keys() == {"default"} else own
    if isinstance(value, list):
        value = {one.get("name"): one.get("template") for one in value if isinstance(one, dict)}
    texts = [*value, *value.values()] if isinstance(value, dict) else [value or ""]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{directory / CONFIG}: chat_template must be a text")
    return value


def _object(path: Path) -> dict:
    """The JSON object in a file; of a file that is not there an empty one."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object")
    return content


def _special(value, key: str, directory: Path) -> AddedToken:
    """From "<s>" or {"content": "<s>", "lstrip": ...}."""
    token = {"content": value} if isinstance(value, str) else value
    try:
        return _token({"normalized": False} | token | {"special": True})
    except (TypeError, UnicodeEncodeError):
        raise ValueError(f"{directory}: {key} must be a text or an object with a content, "
                         f"got {value!r}") from None


def _of_decoder(value, directory: Path) -> dict[int, AddedToken]:
    try:
        return {int(i): _token(token) for i, token in value.items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"{directory / CONFIG}: added_tokens_decoder must map ids to objects with "
                         "a content") from None


def _token(told: dict) -> AddedToken:
    """TypeError for what is no token."""
    flags = {name: told[name] for name in ("single_word", "lstrip", "rstrip", "normalized",
                                           "special") if name in told}
    text = told["content"] if "content" in told else None
    if not isinstance(text, str) or not text:
        raise TypeError("no content")
    return AddedToken(text, **flags)
