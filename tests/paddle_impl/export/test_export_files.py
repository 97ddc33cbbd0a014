"""An exported folder is complete; an incomplete or damaged one is refused with one sentence."""

import json

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.export import export_model, files
from tests.paddle_impl.export.conftest import POSITIONS, new_model


def cut(out):
    weights = out / files.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])


def flip(out):
    weights = bytearray((out / files.WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (out / files.WEIGHTS).write_bytes(weights)


def retell(out):
    told = json.loads((out / files.NAME).read_text())
    (out / files.NAME).write_text(json.dumps(told | {"positions": 1000}))


@pytest.mark.parametrize(("damage", "said"), [
    (cut, "model.pdiparams has"),
    (flip, "SHA-256 of model.pdiparams"),
    (retell, "export.json is not as it was written"),
    (lambda out: (out / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    (lambda out: (out / files.NAME).write_text("{"), "export.json is not JSON"),
    (lambda out: (out / files.NAME).write_text("[]"), "export.json is not of format 1"),
    (lambda out: (out / files.NAME).unlink(), "is no exported model"),
])
def test_damage_is_told(copied, damage, said):
    damage(copied)
    with pytest.raises(ValueError, match=said):
        files.read(copied)


def test_an_earlier_export_is_replaced(copied):
    (copied / "tokenizer.json").unlink()
    export_model(new_model(), Tokenizer.byte_level(), copied)
    assert files.read(copied).positions == POSITIONS
    assert [path.name for path in copied.parent.iterdir()] == ["out"]


def test_nothing_but_an_export_is_replaced(copied):
    (copied / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds notes.txt"):
        export_model(new_model(), Tokenizer.byte_level(), copied)
    (copied / files.NAME).unlink()
    with pytest.raises(ValueError, match="not of an earlier export"):
        export_model(new_model(), Tokenizer.byte_level(), copied)
    with pytest.raises(ValueError, match="there is a file of that name"):
        export_model(new_model(), Tokenizer.byte_level(), copied / "notes.txt")
    assert (copied / "notes.txt").read_text() == "mine"


def test_a_failed_export_changes_nothing(copied, monkeypatch):
    def full(self, directory, *, model_max_length):
        raise OSError("no space left on device")

    monkeypatch.setattr(Tokenizer, "save", full)
    with pytest.raises(OSError, match="no space"):
        export_model(new_model(), Tokenizer.byte_level(), copied)
    assert files.read(copied).positions == POSITIONS
    assert [path.name for path in copied.parent.iterdir()] == ["out"]


def test_another_precision_is_refused(tmp_path):
    model = new_model()
    model.to(dtype="float64")
    with pytest.raises(ValueError, match="only a float32 model can be exported"):
        export_model(model, Tokenizer.byte_level(), tmp_path / "out")
    assert not list(tmp_path.iterdir())
