"""Texts as the examples of a run."""

import numpy as np
import pytest

from data_tools.classification.examples import LabelledExamples
from data_tools.tokenizing.tokenizer import Tokenizer


def written(tmp_path, content: str, name="t.csv") -> str:
    (tmp_path / name).write_text(content)
    return str(tmp_path / name)


def test_ids_are_cut_at_the_end_and_counted(tmp_path):
    examples = LabelledExamples(written(tmp_path, "label,text\nb,abc\na,x\nb,yz\n"))
    examples.encode(Tokenizer.byte_level(), 2)
    assert examples.names == ("a", "b") and len(examples) == 3
    ids, own = examples.read(0)
    assert (ids.tolist(), own, ids.dtype) == ([97, 98], 1, np.int64)
    assert examples.inputs.tolist() == [2, 1, 2]
    assert (examples.cut, examples.longest, examples.highest) == (1, 3, 122)
    assert examples.describe(2) == f"line 4 of {tmp_path / 't.csv'}"


def test_numbers_stand_for_the_names_beside_the_file(tmp_path):
    (tmp_path / "labels.json").write_text('{"labels": ["no", "yes", "never"]}')
    examples = LabelledExamples(written(tmp_path, "Label,Text\n1,x\n0,y\n"))
    assert examples.names == ("no", "yes", "never") and examples.classes.tolist() == [1, 0]
    by_name = LabelledExamples(written(tmp_path, "yes,x\n", "u.csv"), names=examples.names)
    assert by_name.classes.tolist() == [1]
    with pytest.raises(ValueError, match="v.csv, line 2: the label is '3', expected one of no"):
        LabelledExamples(written(tmp_path, "1,x\n3,y\n", "v.csv"))


def test_a_label_that_is_not_known_is_named(tmp_path):
    with pytest.raises(ValueError, match="t.csv, line 2: the label is 'c', expected one of a, b"):
        LabelledExamples(written(tmp_path, "a,x\nc,y\n"), names=("a", "b"))


def test_undersampling_keeps_texts_and_lines_together(tmp_path):
    rows = [f"{'ab'[number % 4 == 0]},{number}" for number in range(40)]
    examples = LabelledExamples(written(tmp_path, "\n".join(rows)))
    examples.undersample(3)
    assert len(examples) == 20 and examples.classes.sum() == 10
    for number, text in enumerate(examples.texts):
        assert examples.classes[number] == (int(text) % 4 == 0)
        assert examples.describe(number).startswith(f"line {int(text) + 1} of")


def test_texts_that_stand_among_others(tmp_path):
    examples = LabelledExamples(written(tmp_path, "a,x\nb,y\na,x \n"))
    assert examples.standing_in(["x", "z"]).tolist() == [True, False, False]
