"""The picture of a confusion matrix."""

import numpy as np
import pytest

from paddle_impl.tracking.confusion import draw_confusion


def test_names_and_numbers_are_in_it(tmp_path):
    path = tmp_path / "c.svg"
    draw_confusion(path, np.array([[2, 0], [1, 37]]), ("ham", "spam"), "some texts")
    text = path.read_text()
    for part in ("ham", "spam", "37", "some texts"):
        assert f"<!-- {part} -->" in text


def test_equal_matrices_give_equal_bytes_and_many_labels_no_names(tmp_path):
    names = tuple(f"label{number}" for number in range(30))
    for name in ("a.png", "b.png"):
        draw_confusion(tmp_path / name, np.eye(30, dtype=int), names)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    draw_confusion(tmp_path / "c.svg", np.eye(30, dtype=int), names)
    assert "label3" not in (tmp_path / "c.svg").read_text()
    with pytest.raises(ValueError, match="a picture's name ends in"):
        draw_confusion(tmp_path / "c.pdf", np.eye(2), ("a", "b"))
