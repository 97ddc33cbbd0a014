"""Messages to one prompt, by the template that came with the model, as transformers renders it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cached_property
from pathlib import Path

from data_tools.tokenizing.tokenizer_config import TokenizerConfig

_GENERATION = re.compile(r"{%[-+]?\s*generation\s*[-+]?%}")
_MARKS = ("\U000f0001", "\U000f0002")  # of Unicode's private use: around an assistant's words


class ChatTemplate:
    """Renders messages by a Jinja template, in a sandbox.

    A template is a program from whoever made the model: it gets no files and no attributes that
    lead out. source: the template. tokens: bos_token and its like, which it may write. ValueError
    where it is no template, or jinja2 is not installed.
    """

    def __init__(self, source: str, tokens: dict[str, str]):
        self.source = source
        self._tokens, self._template = tokens, _compiled(source)

    def render(self, messages: list[dict], *, add_generation_prompt: bool) -> str:
        """The text of the prompt.

        messages: of {"role": ..., "content": ...}. add_generation_prompt: end with what comes
        before an answer. ValueError where the template refuses the messages or fails on them.
        """
        return self._rendered(self._template, messages, add_generation_prompt)

    @cached_property
    def has_generation(self) -> bool:
        """Whether the template says which words are an assistant's, by `{% generation %}`."""
        return _GENERATION.search(self.source) is not None

    def pieces(self, messages: list[dict]) -> list[tuple[str, bool]]:
        """`render(messages)` in pieces, each with whether it stands within `{% generation %}`.

        ValueError as for `render`.
        """
        text = self._rendered(self._marking, messages, False)
        found, inside = [], False
        for piece in re.split(f"([{''.join(_MARKS)}])", text):
            if piece in _MARKS:
                inside = piece == _MARKS[0]
            elif piece:
                found.append((piece, inside))
        if "".join(piece for piece, _ in found) != self.render(
                messages, add_generation_prompt=False):
            raise ValueError("the messages hold characters of Unicode's private use, "
                             f"{' or '.join(map(repr, _MARKS))}: leave them out")
        return found

    @cached_property
    def _marking(self):
        return _compiled(self.source, _MARKS)

    def _rendered(self, template, messages: list[dict], add_generation_prompt: bool) -> str:
        try:
            return template.render(messages=messages, tools=None, documents=None,
                                   add_generation_prompt=add_generation_prompt, **self._tokens)
        except Exception as error:  # of a foreign program, over what the caller gave
            raise ValueError(f"the chat template refuses the messages: {error}") from None


class WithChatTemplate:
    """What a tokenizer with a chat template offers, of whatever kind it is."""

    chat_template: str | dict[str, str] | None = None  # one template, or several by name
    special_tokens_map: dict[str, str]

    def apply_chat_template(
        self, messages: list[dict], *, add_generation_prompt: bool = False
    ) -> str:
        """The text of the messages; encode(text, special_tokens=True) gives its ids.

        See ChatTemplate.render. Of several templates the one named "default" is used. ValueError
        where there is none.
        """
        return self._chat_template.render(messages, add_generation_prompt=add_generation_prompt)

    @cached_property
    def _chat_template(self) -> ChatTemplate:
        source = default_template(self.chat_template)
        if source is None:
            there = "" if self.chat_template is None else " named default, only " + ", ".join(
                sorted(self.chat_template))
            raise ValueError(f"the tokenizer has no chat template{there}: put one beside its "
                             "other files, as chat_template.jinja")
        return ChatTemplate(source, self.special_tokens_map)


def load_chat_template(directory: Path) -> ChatTemplate | None:
    """The template in a model's folder; None where there is none.

    Of several named templates the one called "default". ValueError for files that are damaged.
    """
    config = TokenizerConfig.read(directory)
    source = default_template(config.chat_template)
    return None if source is None else ChatTemplate(source, config.names)


def default_template(chat_template: str | dict[str, str] | None) -> str | None:
    """The template itself, or of several the one named "default"; None where there is none."""
    return chat_template.get("default") if isinstance(chat_template, dict) else chat_template


def _compiled(source: str, marks: tuple[str, ...] = ()):
    """marks: texts to write before and behind what `{% generation %}` brackets."""
    try:
        import jinja2
        from jinja2 import nodes
        from jinja2.ext import Extension
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise ValueError("a chat template needs the package jinja2: pip install '.[chat]' "
                         f"({error})") from None

    class Generation(Extension):
        """`{% generation %}` brackets an assistant's words, for training."""

        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            around = [nodes.Output([nodes.TemplateData(mark)], lineno=line) for mark in marks]
            return [*around[:1], *body, *around[1:]]

    def refuse(message: str):
        raise jinja2.TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation],
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    try:
        return environment.from_string(source)
    except jinja2.TemplateError as error:
        raise ValueError(f"the chat template is no Jinja template: {error}") from None


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) -> str:
    """Jinja's own escapes what HTML would misread, which a model would read as it stands."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)
