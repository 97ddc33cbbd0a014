"""The prompts of a request: texts, ids, or messages of a chat."""

from collections.abc import Callable, Sequence

from paddle_impl.decoding.prompt import prompt_ids
from paddle_impl.serving.errors import RequestError
from paddle_impl.serving.fields import is_integer, is_text, wrong

MAX_SEQUENCES = 2048  # of a request: its prompts, each n times; OpenAI takes as many prompts
TOO_LONG = "context_length_exceeded"
_FORMS = "a text, a list of texts, a list of token ids, or a list of such lists"
_NARROWED = 4  # a letter of so many bytes may be one byte of a token, once NFKC has narrowed it


class PromptReader:
    """Reads prompts, and refuses a text that cannot fit into `tokens` tokens before it is encoded.

    It cannot fit where it has more bytes than so many of the longest token. A tokenizer that loses
    text might have made few tokens of it even so, such as one of many letters that it lacks.
    front: ids before each text's.
    """

    def __init__(self, tokenizer, tokens: int, front: Sequence[int] = ()):
        self._tokenizer, self._tokens, self._front = tokenizer, tokens, front
        longest = int(tokenizer.token_byte_lengths().max())
        if tokenizer.unk_token_id is None:
            longest = max([longest, *(len(text.encode()) for text in tokenizer.special_tokens)])
        else:
            longest *= _NARROWED
        self.max_bytes = tokens * longest

    def read(self, value) -> tuple[list[list[int]], Callable[[], list[str]]]:
        """Return the ids of each prompt, and a function that returns the prompts' texts.

        An empty text starts a new document, as in run_generation.py. RequestError for a value that
        is none of the forms.
        """
        if is_text(value):
            value = [value]
        elif isinstance(value, list) and value and all(map(is_integer, value)):
            value = [value]
        if not isinstance(value, list) or not value:
            raise wrong("prompt", _FORMS, value)
        if len(value) > MAX_SEQUENCES:
            raise RequestError(f"prompt has {len(value)} texts; at most {MAX_SEQUENCES} are "
                               "accepted", param="prompt")
        if all(map(is_text, value)):
            texts = value
            return [prompt_ids(self._tokenizer, self.fitting(text), front=self._front)
                    for text in texts], lambda: texts
        if all(isinstance(ids, list) and all(map(is_integer, ids)) for ids in value):
            return value, lambda: [_text(ids, self._tokenizer) for ids in value]
        raise wrong("prompt", _FORMS, value)

    def fitting(self, text: str) -> str:
        """The text; RequestError where it has too many bytes."""
        size = len(text.encode())
        if size > self.max_bytes:
            raise RequestError(f"the prompt has {size} bytes, too many for {self._tokens} tokens, "
                               "which are accepted at most", param="prompt", code=TOO_LONG)
        return text


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
