"""The fields of a JSON request, one by one, each with a message of its own where it is wrong."""

import json

from paddle_impl.serving.errors import RequestError

_LARGEST = 2**63 - 1


class Body:
    """A JSON object whose fields are taken by name; a field that is null counts as absent.

    RequestError for a wrong value, and by `finish` for a field that was not taken: one that is
    misspelt must not be ignored.
    """

    def __init__(self, content: bytes):
        try:
            values = json.loads(content, parse_constant=_no_number)
        except RecursionError:
            raise RequestError("the body is nested too deeply") from None
        except ValueError as error:
            raise RequestError(f"the body is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise RequestError("the body must be a JSON object")
        self._left = values

    def take(self, name: str):
        """The value, unchecked; None where there is none."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        value = self.take(name)
        if value is not None and not is_text(value):
            raise wrong(name, "a string of Unicode text", value)
        return value

    def boolean(self, name: str) -> bool:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise wrong(name, "true or false", value)
        return bool(value)

    def integer(self, name: str, default, low: int, high: int = _LARGEST) -> int:
        """The value, from low to high. default: returned for an absent field; of any type."""
        value = self.take(name)
        if value is None:
            return default
        if not is_integer(value) or not low <= value <= high:
            bound = f"of at least {low}" if high == _LARGEST else f"from {low} to {high}"
            raise wrong(name, f"an integer {bound}", value)
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not (
                low <= value <= high):
            raise wrong(name, f"a number from {low} to {high}", value)
        return float(value)

    def neutral(self, name: str, *values) -> None:
        """Refuse the field, which is not supported, unless it is absent or has one of the values.

        values: those that ask for nothing beyond the usual.
        """
        value = self.take(name)
        if value is None or any(value == one and type(value) is type(one) for one in values):
            return
        able = " or ".join(json.dumps(one) for one in values) or "null"
        raise RequestError(f"{name} is not supported: leave it out or give {able}, got "
                           f"{_shown(value)}", param=name, code="unsupported_parameter")

    def ignore(self, *names: str) -> None:
        """Accept fields that by OpenAI's standard do not change the answer."""
        for name in names:
            self._left.pop(name, None)

    def finish(self) -> None:
        """RequestError for a field that nobody took."""
        for name in self._left:
            raise RequestError(f"unrecognized request argument: {name[:80]!r}", param=name[:80],
                               code="unknown_parameter")


def is_integer(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value) -> bool:
    """A string without lone surrogates, which JSON can spell and UTF-8 cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong(name: str, expected: str, value) -> RequestError:
    return RequestError(f"{name} must be {expected}, got {_shown(value)}", param=name,
                        code="invalid_value")


def _shown(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _no_number(name: str):
    raise ValueError(f"{name} is no JSON number")
