"""Curves of a run from its metrics.jsonl, and their picture."""

import json
import sys

import pytest
from matplotlib.axes import Axes

from paddle_impl.tracking import curves
from paddle_impl.tracking.curves import best_of, draw_panels, draw_runs, read_curves


@pytest.fixture
def metrics(tmp_path):
    """metrics(record, ...) writes a metrics.jsonl and returns its path."""

    def write(*records, end: str = "\n"):
        path = tmp_path / "metrics.jsonl"
        path.write_text("\n".join(map(json.dumps, records)) + end)
        return path

    return write


def test_every_number_is_a_point_of_a_curve(metrics):
    path = metrics({"step": 1, "loss": 5.0, "lr": 1}, {"step": 1, "valid_loss": 4},
                   {"step": 1, "event": "overflow", "message": "text", "flag": True},
                   {"step": 2, "loss": None, "completions": []}, {"step": 3, "loss": 3.0})
    assert read_curves(path) == {
        "loss": {1: 5.0, 3: 3.0}, "lr": {1: 1}, "valid_loss": {1: 4}}


def test_steps_that_a_resumed_run_computes_again_count_once(metrics):
    path = metrics(*({"step": step, "loss": step} for step in range(1, 7)),
                   {"step": 6, "valid_loss": 6}, {"step": 4, "loss": 40}, {"step": 5, "loss": 50})
    assert read_curves(path) == {"loss": {1: 1, 2: 2, 3: 3, 4: 40, 5: 50}}


def test_a_line_that_is_being_written_is_left_out_and_a_damaged_one_is_named(metrics):
    path = metrics({"step": 1, "loss": 5.0}, {"step": 2, "loss": 4.0}, end="")
    assert read_curves(path) == {"loss": {1: 5.0}}
    for record in ({"loss": 1.0}, {"step": -1}, {"step": "1"}, [1],
                   {"step": 2, "loss": "1"}):
        with pytest.raises(ValueError, match=r"metrics.jsonl, line 2: "):
            read_curves(metrics({"step": 1, "loss": 5.0}, record))


def test_the_best_point_is_the_earliest_of_equal_ones():
    curve = {1: 3.0, 2: 1.0, 3: 5.0, 4: 1.0, 5: 5.0}
    assert best_of(curve) == (2, 1.0)
    assert best_of(curve, greater_is_better=True) == (3, 5.0)


RUNS = {"one": {"loss": {1: 3.0, 2: 2.0}, "lr": {1: 0.1, 2: 0.2}, "valid_loss": {2: 2.5}},
        "longer": {"loss": {1: 3.0, 9: 1.0}, "lr": {1: 0.1, 9: 0.0}}}


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_runs_of_different_lengths_and_measures_are_drawn(tmp_path, ending, start):
    path = tmp_path / f"picture.{ending}"
    draw_runs(path, RUNS, "valid_loss")
    assert path.read_bytes().startswith(start)


def test_equal_runs_give_equal_pictures_and_others_do_not(tmp_path):
    first, second, third = (tmp_path / f"{name}.png" for name in "abc")
    draw_runs(first, RUNS, "valid_loss")
    draw_runs(second, RUNS, "valid_loss")
    draw_runs(third, RUNS | {"one": RUNS["one"] | {"lr": {1: 0.1, 2: 0.3}}}, "valid_loss")
    assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_the_loss_is_drawn_over_tokens_too(tmp_path, monkeypatch):
    """Where each point lies: between two logged steps in proportion, from 0 tokens at step 0."""
    kept = []
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: kept.append(figure))
    run = {"loss": {2: 3.0, 4: 2.0}, "valid_loss": {1: 3.5, 4: 2.5}, "tokens": {2: 100, 4: 160}}
    draw_runs(tmp_path / "x.png", {"": run}, "valid_loss", over_tokens=True)
    draw_runs(tmp_path / "x.png", {"": {"valid_loss": {1: 1.0}}}, "valid_loss", over_tokens=True)
    *_, last = kept[0].axes
    assert [[*map(float, line.get_xdata())] for line in last.lines] == [[100, 160], [50, 160]]
    assert [list(line.get_ydata()) for line in last.lines] == [[3.0, 2.0], [3.5, 2.5]]
    assert len(kept[0].axes) == 4 and last.get_xlabel() == "tokens"


def test_what_cannot_be_drawn_leaves_no_file(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"x.pdf: a picture's name ends in .png or .svg"):
        draw_runs(tmp_path / "x.pdf", RUNS, "valid_loss")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match="pictures need matplotlib: pip install matplotlib"):
        curves.draw_runs(tmp_path / "x.png", RUNS, "valid_loss")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_panels_have_the_curves_of_training_and_of_held_out_data(tmp_path, ending, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, "plot", lambda self, x, y, **look: drawn.append((x, y, look)))
    runs = {"a": {"up": {1: 1.0, 2: 2.0}, "valid_up": {2: 3.0}}, "b": {"down": {1: 5.0}}}
    path = tmp_path / f"panels.{ending}"
    draw_panels(path, runs, {"both": ("up", "down"), "one": ("up",)})
    assert [(x, y) for x, y, _ in drawn] == [
        ([1, 2], [1.0, 2.0]), ([2], [3.0]), ([], []), ([], []),  # run a: up, down
        ([], []), ([], []), ([1], [5.0]), ([], []),  # run b
        ([1, 2], [1.0, 2.0]), ([2], [3.0]), ([], []), ([], [])]
    colours = [look["color"] for _, _, look in drawn[:8:2]]
    assert len({*colours}) == 4 and drawn[1][2]["label"] == "a: up"
    assert path.stat().st_size > 1000
