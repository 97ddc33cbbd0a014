"""Messages to one prompt, by the template that came with the model, as transformers renders it."""

import json
from datetime import datetime
from pathlib import Path

import jinja2
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

from paddle_impl.serving.errors import RequestError

_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
           "mask_token")


class ChatTemplate:
    """`{messages, add_generation_prompt, bos_token, ...}` -> text, in a sandbox.

    A template is a program from whoever made the model: it gets no files and no attributes that
    lead out. ValueError where it is not one.
    """

    def __init__(self, source: str, tokens: dict[str, str]):
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", _Generation],
        )
        environment.filters["tojson"] = _tojson
        environment.globals |= {
            "raise_exception": _refuse,
            "strftime_now": lambda form: datetime.now().strftime(form),
        }
        self._tokens = tokens
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ValueError(f"the chat template is no Jinja template: {error}") from None

    def render(self, messages: list[dict]) -> str:
        """RequestError where the template refuses the messages or stumbles over them."""
        try:
            return self._template.render(messages=messages, tools=None, documents=None,
                                         add_generation_prompt=True, **self._tokens)
        except Exception as error:  # of a foreign program, over what the client sent
            raise RequestError(f"the chat template refuses the messages: {error}",
                               param="messages") from None


def load_chat_template(directory: Path) -> ChatTemplate | None:
    """From chat_template.jinja or tokenizer_config.json; None where there is none.

    Of several named templates the one called "default".
    """
    config, own = {}, directory / "chat_template.jinja"
    path = directory / "tokenizer_config.json"
    if path.is_file():
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path} must hold a JSON object")
    source = own.read_text(encoding="utf-8") if own.is_file() else config.get("chat_template")
    if isinstance(source, list):
        named = {one.get("name"): one.get("template") for one in source if isinstance(one, dict)}
        source = named.get("default")
    if source is None:
        return None
    if not isinstance(source, str):
        raise ValueError(f"{path}: chat_template must be a text")
    return ChatTemplate(source, _token_texts(config))


def _token_texts(config: dict) -> dict[str, str]:
    """bos_token and its like, which may be spelt {"content": "<s>", ...}."""
    found = {name: config.get(name) for name in _TOKENS}
    texts = {name: value.get("content") if isinstance(value, dict) else value
             for name, value in found.items()}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


class _Generation(Extension):
    """`{% generation %}` marks an assistant's words for training; here it is only a bracket."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False) -> str:
    """Jinja's own escapes what HTML would misread, which a model would read as it stands."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def _refuse(message: str):
    raise jinja2.TemplateError(message)
