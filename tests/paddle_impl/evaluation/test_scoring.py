"""Nats and right tokens of rows, computed by hand and by the whole model."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.evaluation import scoring
from paddle_impl.evaluation.scoring import perplexity, score
from paddle_impl.evaluation.windows import Row


def row(inputs, targets):
    return Row(np.array(inputs, np.int64), np.array(targets, np.int64))


def test_nats_and_right_tokens_by_hand(counting):
    scores = score(counting, [row([0, 1, 2], [1, 2, 3]), row([3], [3]), row([0, 1, 2], [0])])
    assert scores.nats.tolist() == pytest.approx(
        [3 * math.log(9 / 4), math.log(9 / 2), math.log(9)], rel=1e-6)
    assert scores.right.tolist() == [3, 0, 0]


def test_padding_is_never_the_likeliest_but_is_paid_for(given):
    model = given([[0.0, 1.0, 5.0, 7.0]] * 4)
    total = 1 + math.e + math.exp(5) + math.exp(7)
    for vocab_size, right in ((None, 0), (4, 0), (3, 0), (2, 1), (9, 0)):
        scores = score(model, [row([0], [1])], vocab_size=vocab_size)
        assert scores.right.tolist() == [right]
        assert scores.nats[0] == pytest.approx(math.log(total / math.e), rel=1e-6)


def test_each_row_is_as_alone(tiny_model):
    rng = np.random.default_rng(5)
    rows = [row(rng.integers(0, 50, n), rng.integers(0, 50, m))
            for n, m in ((5, 5), (5, 1), (24, 3), (5, 2), (24, 24), (1, 1), (24, 3))]
    tiny_model.train()
    scores = score(tiny_model, rows, vocab_size=40)
    assert not tiny_model.training
    for number, one in enumerate(rows):
        with paddle.no_grad():
            logits = tiny_model(paddle.to_tensor(one.inputs[None]))[0].numpy().astype(float)
        last = logits[-len(one.targets) :]
        chosen = last[np.arange(len(last)), one.targets]
        assert scores.nats[number] == pytest.approx(
            (np.log(np.exp(last).sum(1)) - chosen).sum(), rel=1e-5)
        assert scores.right[number] == (last[:, :40].argmax(1) == one.targets).sum()


def test_rows_of_one_length_share_a_pass_that_memory_bounds(given, monkeypatch):
    rows = [row([0] * n, [1]) for n in (2, 3, 2, 2, 3, 2)]
    model = given(np.zeros((4, 4)))
    score(model, rows)
    assert model.shapes == [[4, 2], [2, 3]]
    monkeypatch.setattr(scoring, "_NUMBERS", 3 * 4)  # three rows of one target of four ids
    model = given(np.zeros((4, 4)))
    score(model, rows)
    assert model.shapes == [[3, 2], [1, 2], [1, 3], [1, 3]]  # 3 x 3 attention weights a row


def test_progress_sees_each_batch(counting):
    seen = []

    def progress(batches):
        for batch in batches:
            seen.append(sorted(batch))
            yield batch

    score(counting, [row([0], [1]), row([0, 1], [2]), row([2], [3])], progress=progress)
    assert seen == [[0, 2], [1]]


@pytest.mark.parametrize(("inputs", "targets", "named"), [
    ([0, 5], [1], "holds id 5"), ([0], [7], "holds id 7"), ([-1], [0], "holds id -1"),
])
def test_ids_that_the_model_lacks_are_refused(counting, inputs, targets, named):
    with pytest.raises(ValueError, match=f"{named}, the model's vocabulary is 0 to 4"):
        score(counting, [row(inputs, targets)])


@pytest.mark.parametrize("tokens", [2, 3, 300])
def test_a_damaged_model_is_no_number(given, tokens):
    with pytest.raises(ValueError, match="weights are damaged"):
        score(given(np.full((tokens, tokens), np.nan)), [row([0], [1])])


def test_a_surprise_of_200_nats_costs_200(given):
    assert score(given([[0, -200], [0, 0]]), [row([0], [1])]).nats == [200.0]


def test_a_perplexity_beyond_all_numbers_is_infinite():
    assert perplexity(6.0, 3) == math.exp(2.0)
    assert perplexity(1e6, 1) == math.inf
