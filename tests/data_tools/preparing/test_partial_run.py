"""A stopped run is continued only from files that are as it left them."""

import json
import random
import shutil

import pytest

from data_tools.preparing import batches
from data_tools.preparing.partial_run import PartialRun


@pytest.fixture
def stopped(source_tree, tmp_path, in_process, monkeypatch):
    """(run(), folder of the files, copy of X_partial/) of a run that was stopped in its middle."""
    folder = tmp_path / "out"
    monkeypatch.setattr(batches, "BATCH_CHARS", 2000)

    def run():
        return in_process("--input_path", source_tree, "--output_prefix", folder / "x", "--quiet",
                          "--vocab_size", 260, "--dedup", "exact", "--checkpoint_mb", "0.000001")

    assert run() == 0
    whole = contents(folder)
    shutil.rmtree(folder)
    checkpoint, calls = PartialRun.checkpoint, []

    def stop(self, *arguments):
        checkpoint(self, *arguments)
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartialRun, "checkpoint", stop)
    assert run() == 130
    monkeypatch.setattr(PartialRun, "checkpoint", checkpoint)
    shutil.copytree(folder / "x_partial", tmp_path / "copy")

    def again(change=lambda partial: None):
        shutil.rmtree(folder)
        folder.mkdir()
        shutil.copytree(tmp_path / "copy", folder / "x_partial")
        change(folder / "x_partial")
        return run(), contents(folder) == whole

    return again


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_untouched_folder_is_continued(stopped):
    assert stopped() == (0, True)


@pytest.mark.parametrize("name", ["ids.npy", "lens", "skipped.jsonl", "memory.0"])
def test_a_stream_that_lost_or_changed_bytes_is_never_filled_up(stopped, capsys, name):
    def cut(partial):
        path = partial / name
        path.write_bytes(path.read_bytes()[:-1] if name != "ids.npy" else path.read_bytes()[:150])

    def flip(partial):
        data = bytearray((partial / name).read_bytes())
        data[140 if name == "ids.npy" else 3] ^= 1
        (partial / name).write_bytes(data)

    capsys.readouterr()
    for change in (cut, flip, lambda partial: (partial / name).unlink()):
        assert stopped(change) == (2, False)
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and f"{name} does not begin with what the stopped run" in told
        assert "x_partial to begin anew" in told


def test_another_tokenizer_in_the_folder_is_refused(stopped, capsys):
    def change(partial):
        told = json.loads((partial / "tokenizer/tokenizer.json").read_text())
        told["added_tokens"].append(told["added_tokens"][0] | {
            "id": len(told["model"]["vocab"]), "content": "<new>"})
        (partial / "tokenizer/tokenizer.json").write_text(json.dumps(told))

    capsys.readouterr()
    assert stopped(change) == (2, False)
    assert "is not the stopped run's tokenizer" in capsys.readouterr().err


def lie(draw, value):
    """The JSON value with something inside of it changed."""
    if isinstance(value, dict) and value:
        key = draw.choice(list(value))
        return {**value, key: lie(draw, value[key])} if draw.random() < 0.8 else {
            k: v for k, v in value.items() if k != key}
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], lie(draw, value[at]), *value[at + 1 :]]
    return draw.choice([v for v in (None, 0, -1, 1, 10**15, 2**64, 0.5, float("nan"), "", "x", [],
                                    {}, True) if json.dumps(v) != json.dumps(value)])


@pytest.mark.parametrize("lies", [40, pytest.param(1000, marks=[
    pytest.mark.exhaustive, pytest.mark.timeout(1800)])])
def test_a_journal_that_lies_is_refused_in_one_line(stopped, capsys, lies):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(lies):
        def change(partial):
            path = partial / "state.json"
            text = json.dumps(lie(draw, json.loads(path.read_text())))
            path.write_text(draw.choice([text] * 9 + [text[: draw.randrange(len(text))]]))

        capsys.readouterr()
        assert stopped(change) == (2, False), seed
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and "x_partial to begin anew" in told, (seed, told)


def test_a_damaged_plan_does_not_throw_the_work_away(stopped, capsys, tmp_path):
    for text in ("", "[]", "{", "\0"):
        capsys.readouterr()
        assert stopped(lambda partial, text=text: (partial / "plan.json").write_text(text)) == (
            2, False)
        assert "plan.json cannot be read" in capsys.readouterr().err
        assert (tmp_path / "out/x_partial/ids.npy").stat().st_size > 128
