"""JSON files of others: an object whose fields hold what is expected, or one sentence."""

import os

import pytest

from data_tools.json_fields import (
    MAX_BYTES,
    MAX_DEPTH,
    SCALAR,
    check,
    either,
    list_of,
    number,
    object_of,
    optional,
    read_object,
    shown,
    text,
    whole,
)


@pytest.mark.parametrize(("field", "holds", "refuses"), [
    (whole(), [0, 2**31 - 1], [-1, 2**31, True, 1.0, "1", None, [1], {}]),
    (whole(1, 3), [1, 3], [0, 4]),
    (number(), [0, -1.5, 1e308], [float("inf"), -float("inf"), float("nan"), 10**400, "1", True]),
    (number(0, 1), [0, 1, 0.5], [-1e-9, 1.1, float("nan")]),
    (text(), ["", "zwölf"], ["a\nb", "\0", "\ud800", 1, None]),
    (optional(whole()), [None, 1], ["", False]),
    (list_of(text()), [[], ["a"]], [["a", 1], "a", None, {"a": 1}]),
    (object_of(whole()), [{}, {"a": 1}], [{"a": "1"}, [], 1]),
    (either(text(), whole()), ["a", 1], [1.5, None]),
    (SCALAR, [None, True, 1, 1.5, "a"], [[], {}, float("nan"), "a\nb"]),
])
def test_what_a_field_holds(field, holds, refuses):
    assert all(map(field.holds, holds)) and not any(map(field.holds, refuses))
    for value in refuses:
        with pytest.raises(ValueError) as raised:
            check({"a": value}, {"a": field}, inside="outer")
        said = str(raised.value)
        assert said == f"outer.a is {shown(value)}, expected {field.expected}"
        assert said.isprintable() and len(said) < 200


def test_a_field_may_be_missing_unless_it_is_required():
    check({}, {"a": whole()})
    with pytest.raises(ValueError, match="^a is missing, expected a whole number from 0 to 9$"):
        check({}, {"a": whole(0, 9)}, required=["a"])


@pytest.mark.parametrize(("content", "said"), [
    (b"", "Expecting value"), (b"[]", "it holds no JSON object"), (b'{"a": 1', "delimiter"),
    (b'{"a": NaN}', "NaN is no JSON"), (b'{"a": -Infinity}', "-Infinity is no JSON"),
    (b'{"a": {"b": 1, "b": 1}}', "the key 'b' is there twice"), (b'{"a": "\xff"}', "utf-8"),
    (b'{"a": ' + 5000 * b"9" + b"}", "4300 digits"),
    (b'{"a": ' + MAX_DEPTH * b"[" + MAX_DEPTH * b"]" + b"}", "it is nested deeper than 64 levels"),
    (100_000 * b"[", "it is nested deeper than 64 levels"),
    (b"{}" + MAX_BYTES * b" ", f"it has more than {MAX_BYTES} bytes"),
])
def test_a_file_that_holds_no_object(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError) as raised:
        read_object(path)
    assert str(raised.value).startswith(f"{path} cannot be read: ") and said in str(raised.value)
    assert str(raised.value).isprintable()


def test_an_object_is_read_and_checked(tmp_path):
    path = tmp_path / "a.json"
    deep = (MAX_DEPTH - 1) * b"[" + (MAX_DEPTH - 1) * b"]"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1, "deep": ' + deep + b"}")
    assert read_object(path, {"a": whole()})["a"] == 1
    with pytest.raises(ValueError, match=f"^{path}: a is 1, expected a text of one line$"):
        read_object(path, {"a": text()})


def test_what_is_no_file_is_not_opened(tmp_path):
    """A pipe without a writer would keep the reader waiting for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match=f"{path} cannot be read: there is no such file"):
            read_object(path)
