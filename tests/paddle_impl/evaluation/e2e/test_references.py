import pytest

from paddle_impl.evaluation.e2e.references import check_counts, read_outputs, read_references


@pytest.fixture
def file(tmp_path):
    def write(text, name="refs.txt"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(("text", "outputs", "groups"), [
    ("a\nb\n\nc\n", 2, [["a", "b"], ["c"]]),
    ("\n a\nb \n\n\n\nc\n\n\n", 2, [["a", "b"], ["c"]]),
    ("a\nb\n", 1, [["a", "b"]]),  # one instance
    ("a\nb\n", 2, [["a"], ["b"]]),  # no blank lines: a reference for each output
    ("a\nb\n", 3, [["a", "b"]]),
    ("a\u2028b\n\nc\n", 2, [["a\u2028b"], ["c"]]),
])
def test_blank_lines_stand_between_instances(file, text, outputs, groups):
    found = read_references(file(text), outputs)
    assert found.texts == groups and found.contexts is None


@pytest.mark.parametrize(("text", "name"), [
    ("\nx : 1||a\ny : 1||c\nx : 1||b\n", "f.txt"),
    ("mr,ref\nx[1],a\ny[1],c\nx[1],b\n", "f.csv"),
    ('{"context": "x : 1", "completion": "a"}\n{"context": "y : 1", "completion": "c"}\n'
     '{"context": "x : 1", "completion": "b"}\n', "f.jsonl"),
])
def test_the_data_is_grouped_by_meaning_representation(file, text, name):
    path = file(text, name)
    found = read_references(path, 2)
    assert (found.texts, found.contexts) == ([["a", "b"], ["c"]], ["x : 1", "y : 1"])
    assert found.about == (f"2 instances with 3 references of {path} "
                           "(grouped by meaning representation)")


def test_outputs_may_be_empty_and_their_count_is_checked(file):
    assert read_outputs(file(" a \n\n\n")) == ["a", "", ""]
    references = read_references(file("a\n\nb\n"), 2)
    check_counts(references, ["", ""], "sys.txt")
    with pytest.raises(ValueError, match="sys.txt has 1 outputs for 2 instances with 2 references"):
        check_counts(references, [""], "sys.txt")


def test_a_file_without_references(file):
    for text in ("", "\n\n"):
        with pytest.raises(ValueError, match="holds no"):
            read_references(file(text), 0)
