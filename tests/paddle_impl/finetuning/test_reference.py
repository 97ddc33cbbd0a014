"""The file of a reference: what is written is read again, and nothing else is taken for it."""

import json

import numpy as np
import paddle
import pytest

from data_tools.instructions.pairs import Pair, Pairs
from paddle_impl.finetuning import reference
from paddle_impl.finetuning.pairs import PairExamples, PairLoader
from paddle_impl.finetuning.reference import Reference
from paddle_impl.objectives import cross_entropy
from paddle_impl.parallel.ranks import Ranks
from parity.paddle_side import meeting

MARK = reference.fingerprint({"data": "x", "beta": 1})
STORED = Reference({"train": np.array([[-1.5, -2.0], [-3.0, np.pi]]), "valid": np.zeros((1, 2))},
                   ["a text\n", "né"])


def same(one: Reference, other: Reference) -> bool:
    return one.samples == other.samples and one.sums.keys() == other.sums.keys() and all(
        np.array_equal(one.sums[split], other.sums[split]) for split in one.sums)


def test_what_is_written_is_read(tmp_path):
    reference.write(tmp_path / "r", MARK, STORED)
    assert same(reference.read(tmp_path / "r", MARK), STORED)


def test_another_one_is_refused(tmp_path):
    path = tmp_path / "r"
    with pytest.raises(ValueError, match="r is missing"):
        reference.read(path, MARK)
    reference.write(path, MARK, STORED)
    with pytest.raises(ValueError, match="of other weights, data or settings"):
        reference.read(path, reference.fingerprint({"data": "x", "beta": 2}))
    content = path.read_bytes()
    number = content.index(np.float64(np.pi).tobytes())
    for damaged in (content[:-9], b"x" * 80, content[:number] + b"\1" + content[number + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="r is damaged"):
            reference.read(path, MARK)


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    reference.write(tmp_path / "r", MARK, STORED)
    before = (tmp_path / "r").read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("data_tools.files.sync_file", full)
    with pytest.raises(OSError, match="disk full"):
        reference.write(tmp_path / "r", MARK, STORED._replace(samples=[]))
    assert (tmp_path / "r").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def loader(pairs=5, **more) -> PairLoader:
    made = [Pair(np.arange(1, 6 + n), np.arange(3, 9), 2) for n in range(pairs)]
    return PairLoader(PairExamples(Pairs(made, [f"record {n + 1}" for n in range(pairs)])),
                      2, 0, **more)


def test_the_sums_are_those_of_each_text_alone_without_dropout(tiny_model):
    for layer in tiny_model.sublayers():
        if isinstance(layer, paddle.nn.Dropout):
            layer.p = 0.5
    tiny_model.train()
    found = reference.log_probabilities_of(
        tiny_model, {"train": loader(), "test": loader(1)}, Ranks())
    assert found["train"].shape == (5, 2) and found["train"].dtype == np.float64
    tiny_model.eval()
    for number in range(5):
        for side, ids in enumerate(loader().examples.read(number)[:2]):
            logits = tiny_model(paddle.to_tensor(ids[None, :-1]))
            losses = cross_entropy(logits, paddle.to_tensor(ids[None, 1:]))[0]
            assert found["train"][number, side] == pytest.approx(
                -float(losses[1:].sum()), rel=1e-5)
    np.testing.assert_allclose(found["test"], found["train"][:1], rtol=1e-5)


def test_two_processes_have_all_of_them(tiny_model):
    alone = reference.log_probabilities_of(tiny_model, {"train": loader()}, Ranks())["train"]

    def work(ranks):
        own = loader(rank=ranks.data.rank, world_size=2)
        sums = reference.log_probabilities_of(tiny_model, {"train": own}, ranks)
        stored = Reference(sums, []) if ranks.is_main else None
        none = reference.shared(None, {"train": 5}, ranks)
        return sums["train"], reference.shared(stored, {"train": 5}, ranks)["train"], none

    for sums, shared, none in meeting.run(2, work):
        np.testing.assert_allclose(sums, alone, rtol=1e-5)
        np.testing.assert_array_equal(shared, sums)
        assert none is None


def test_a_number_that_is_not_finite_names_its_pair(tiny_model):
    weight = tiny_model.transformer.wte.weight
    values = weight.numpy()
    values[9] = np.nan
    weight.set_value(values)
    with pytest.raises(ValueError, match=r"^record [1-5]: .* not finite"):
        reference.log_probabilities_of(tiny_model, {"train": loader()}, Ranks())


def test_the_fingerprint_is_of_the_values_not_of_their_order():
    told = {"b": [1, 2], "a": "x"}
    assert reference.fingerprint(told) == reference.fingerprint(
        json.loads(json.dumps({"a": "x", "b": [1, 2]})))
    assert reference.fingerprint(told) != reference.fingerprint(told | {"a": "y"})
