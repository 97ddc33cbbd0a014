"""Which file is of which language, and the names of labels and control tokens."""

import pytest

from data_tools.completion.languages import (
    chosen,
    control_tokens,
    id_of,
    label_of,
    languages_of,
    of_document,
    token_of,
)


def test_the_defaults_and_a_list_with_commas():
    assert chosen(None, None) == {"python": (".py", ".pyi"), "java": (".java",)}
    assert list(chosen(["Java,go", "python", "go"], None)) == ["java", "go", "python"]


def test_a_suffix_of_several_languages_is_of_the_first():
    found = chosen(["c,cpp"], None)
    assert ".h" in found["c"] and ".h" not in found["cpp"] and ".cpp" in found["cpp"]


def test_a_language_is_added_or_gets_other_suffixes():
    found = chosen(["zig,python"], ["Zig=.zig,zon", "python=.py"])
    assert found == {"zig": (".zig", ".zon"), "python": (".py",)}


@pytest.mark.parametrize(("names", "more", "said"), [
    (["pyhton"], None, "'pyhton' is not known, the nearest one is 'python'"),
    (None, ["zig"], "'zig' is not like zig=.zig,.zon"),
    (None, ["zig="], "is not like"),
    (None, ["a b=.x"], "is not like"),
    (None, ["pad=.x"], "the name of another control token"),
    (None, ["fim_prefix=.x"], "the name of another control token"),
])
def test_refusals(names, more, said):
    with pytest.raises(ValueError, match=said):
        chosen(names, more)


@pytest.mark.parametrize(("name", "language"), [
    ("/a/b.py", "python"), ("/a/B.PY", "python"), ("x.tar.gz:dir/b.java", "java"),
    ("b.py.gz", "python"), ("b.txt", None), ("rows.jsonl:3", None), ("py", None)])
def test_the_language_of_a_document(name, language):
    assert of_document(name, chosen(["python,java"], None)) == language


def test_where_there_is_one_language_a_record_is_of_it():
    assert of_document("rows.jsonl:3", chosen(["java"], None)) == "java"


def test_labels_and_tokens():
    assert (label_of("python"), token_of("Python"), token_of("JAVA")) == (
        "Python", "<python>", "<java>")
    assert control_tokens(["go", "java"]) == ("<pad>", "<python>", "<java>", "<go>")


def test_the_languages_of_a_tokenizer():
    tokens = {"<python>": 1, "<pad>": 2, "<|endoftext|>": 3, "<c++>": 4, "<Mask>": 5, "<s>": 6,
              "<fim_prefix>": 7, "<objective-c>": 8, "<unk>": 9, "python": 10, "<>": 11}
    assert languages_of(tokens) == {"c++": 4, "objective-c": 8, "python": 1}
    assert id_of(" Python", tokens) == 1
    with pytest.raises(ValueError, match=r"language 'pad': it has c\+\+, objective-c, python"):
        id_of("pad", tokens)
