"""The prompts of a request: texts, ids, or messages of a chat."""

from collections.abc import Callable

from paddle_impl.decoding.prompt import prompt_ids
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.fields import is_integer, is_text, wrong

MAX_PROMPTS = 2048  # as OpenAI
_FORMS = "a text, a list of texts, a list of token ids, or a list of such lists"


def read_prompts(value, tokenizer) -> tuple[list[list[int]], Callable[[], list[str]]]:
    """Return the ids of each prompt, and a function that returns the prompts' texts.

    An empty text starts a new document, as in run_generation.py. RequestError for a value that is
    none of the forms.
    """
    if is_text(value):
        value = [value]
    elif isinstance(value, list) and value and all(map(is_integer, value)):
        value = [value]
    if not isinstance(value, list) or not value:
        raise wrong("prompt", _FORMS, value)
    if len(value) > MAX_PROMPTS:
        raise RequestError(f"prompt has {len(value)} texts; at most {MAX_PROMPTS} are accepted",
                           param="prompt")
    if all(map(is_text, value)):
        texts = value
        return [prompt_ids(tokenizer, text) for text in texts], lambda: texts
    if all(isinstance(ids, list) and all(map(is_integer, ids)) for ids in value):
        return value, lambda: [_text(ids, tokenizer) for ids in value]
    raise wrong("prompt", _FORMS, value)


def read_messages(value) -> list[dict]:
    """Return the messages, each with role and content, which is a text.

    A content in several parts becomes one text, a line for each part. RequestError for other forms.
    """
    if not isinstance(value, list) or not value:
        raise wrong("messages", "a list of at least one message", value)
    return [_message(at, one) for at, one in enumerate(value)]


def _message(at: int, value) -> dict:
    where = f"messages[{at}]"
    if not isinstance(value, dict):
        raise wrong(where, "an object with role and content", value)
    if unknown := sorted(set(value) - {"role", "content", "name"}):
        raise RequestError(f"{where}.{unknown[0][:80]} is not supported", param="messages")
    if not is_text(value.get("role")) or not value["role"]:
        raise wrong(f"{where}.role", "a text such as user", value.get("role"))
    if not (value.get("name") is None or is_text(value["name"])):
        raise wrong(f"{where}.name", "a text", value["name"])
    return {name: own for name, own in value.items() if own is not None} | {
        "content": _content(f"{where}.content", value.get("content"))}


def _content(where: str, value) -> str:
    parts = value if isinstance(value, list) else [{"type": "text", "text": value}]
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not is_text(
                part.get("text")):
            raise wrong(where, 'a text, or a list of {"type": "text", "text": ...}', value)
    return "\n".join(part["text"] for part in parts)


def _text(ids: list[int], tokenizer) -> str:
    try:
        return tokenizer.decode(ids)
    except ValueError as error:
        raise RequestError(str(error), param="prompt", code="invalid_value") from None
