import re

import pytest

from data_tools.e2e.reading import Pair, grouped, read_lines, read_pairs


@pytest.fixture
def file(tmp_path):
    def write(content, name="f.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_the_three_forms(file):
    pairs = [Pair(1, "name : A | Type : pub", "A is a pub . é"),
             Pair(3, "name : B", "B .")]
    assert read_pairs(file(
        "\ufeffname : A | Type : pub||A is a pub . é \r\n\nname : B||B .\n")) == pairs
    assert read_pairs(file(
        '{"context": "name : A | Type : pub", "completion": "A is a pub . é"}\n\n'
        '{"context": [1], "context_text": "name : B", "completion_text": "B ."}', "f.jsonl")
    ) == pairs
    assert read_pairs(file(
        '"mr","ref"\r\n"name[A], eatType[pub]","A is\na ""pub"", é"\nname[B],B.\n', "f.CSV")
    ) == [Pair(3, pairs[0].context, 'A is a "pub", é'), Pair(4, "name : B", "B.")]


@pytest.mark.parametrize(("content", "name", "message"), [
    ("a||b\nno bars\n", "f.txt", "line 2: expected .* got no || in 'no bars'"),
    ("a||b||c\n", "f.txt", "line 1: expected .* got 2 times ||"),
    ("a||b\n\na||\n", "f.txt", "line 3: the text is empty"),
    ("||b\n", "f.txt", "line 1: the meaning representation is empty"),
    (b"a||b\na||caf\xe9\n", "f.txt", "line 2 is not UTF-8"),
    ("\n", "f.txt", "holds no pairs"),
    ("mr,text\nname[A],b\n", "f.csv", "line 1: expected the columns mr and ref, got mr, text"),
    ("", "f.csv", "line 1: expected the columns mr and ref, got none"),
    ("mr,ref\nname[A],b\nname[A]\n", "f.csv", "line 3: expected 2 columns, got 1"),
    ("mr,ref\nname[A,b\n", "f.csv", "line 2: expected fields such as"),
    ('mr,ref\nname[A],b\nname[B],"open\n', "f.csv", "after line 2: unexpected end"),
    ("{\n", "f.jsonl", "line 1: expected"),
    ('{"context": "a", "completion": [1]}\n', "f.jsonl", "line 1: expected"),
])
def test_errors_name_file_and_line(file, content, name, message):
    path = file(content, name)
    with pytest.raises(ValueError, match=f"{re.escape(path)}.*{message.replace('||', '[|]{2}')}"):
        read_pairs(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_pairs(str(tmp_path / "none.txt"))


def test_empty_texts_where_they_may_be(file):
    assert read_pairs(file("a||\n"), may_be_empty=True) == [Pair(1, "a", "")]


def test_only_line_feeds_end_lines(file):
    assert read_lines(file("a\u2028b\x0cc\n\nd\n")) == ["a\u2028b\x0cc", "", "d"]
    assert read_lines(file("a\n\n")) == ["a", ""] and read_lines(file("")) == []


def test_groups_are_in_the_order_of_their_first_pair():
    pairs = [Pair(1, "b", "1"), Pair(2, "a", "2"), Pair(3, "b", "3")]
    assert list(grouped(pairs).items()) == [("b", ["1", "3"]), ("a", ["2"])]


@pytest.mark.parametrize(("lines", "table", "count"), [
    ("test.txt", "testset_w_refs.csv", 4693), ("valid.txt", "devset.csv", 4672)])
def test_our_linearisation_is_that_of_the_published_lines(e2e_dir, lines, table, count):
    ours, theirs = (read_pairs(f"{e2e_dir}/{name}") for name in (table, lines))
    assert len(ours) == len(theirs) == count
    assert [pair.context for pair in ours] == [pair.context for pair in theirs]
