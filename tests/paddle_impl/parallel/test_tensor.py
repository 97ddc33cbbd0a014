"""Tensor parallel processes give one process's loss, gradients, text and files."""

from functools import partial

import numpy as np
import paddle
import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM
from paddle_impl.parallel.ranks import Group
from paddle_impl.parallel.tensor import WHOLE, Parts
from tests.paddle_impl.meeting import (
    BATCH,
    CONFIG,
    WEIGHTS,
    ThreadGroup,
    build,
    entire,
    step,
    together,
)


@pytest.fixture(autouse=True)
def float64():
    paddle.set_default_dtype("float64")
    yield
    paddle.set_default_dtype("float32")


def distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Root mean square of the difference, relative to that of the expected."""
    assert found.shape == expected.shape
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("degree", [2, 4])
def test_loss_and_every_gradient_are_those_of_one_process(degree):
    loss, gradients = entire(WHOLE)
    for found, own in together(degree, entire):
        assert found == pytest.approx(loss, rel=1e-12)
        assert own.keys() == gradients.keys()
        for name, gradient in gradients.items():
            if name.endswith("c_attn.bias"):  # that of the keys vanishes: softmax ignores a shift
                gradient, own[name] = (np.delete(g, range(32, 64)) for g in (gradient, own[name]))
            assert distance(own[name], gradient) < 1e-12, name


@pytest.mark.parametrize("rate", ["attn_pdrop", "embd_pdrop", "resid_pdrop"])
def test_each_dropout_draws_the_masks_of_one_process(rate):
    config = CONFIG.with_(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
    dropped, still = step(WHOLE, config.with_(**{rate: 0.4}))[0], step(WHOLE, config)[0]
    assert abs(dropped - still) > 1e-3 * still
    for loss, _ in together(2, lambda parts: step(parts, config.with_(**{rate: 0.4}))):
        assert loss == pytest.approx(dropped, rel=1e-12)


def test_what_is_in_every_process_has_the_same_bits_in_each():
    def work(parts):
        loss, gradients = step(parts)
        return loss, {n: g.numpy() for n, g in gradients.items() if not parts.splits(n)}

    (loss, first), *others = together(4, work)
    assert len(first) == 1 + 2 * (2 * 2 + 2) + 2  # positions; norms and sums' biases; last norm
    for other, gradients in others:
        assert other == loss
        for name, gradient in first.items():
            np.testing.assert_array_equal(gradients[name], gradient)


def test_the_norm_counts_split_tensors_over_the_group_and_others_once():
    def norm(parts):
        squares = [0.0, 0.0]
        for name, gradient in step(parts)[1].items():
            squares[parts.splits(name)] += float((gradient * gradient).sum())
        return squares[0] + parts.group.total(squares[1])[0]

    assert together(4, norm) == pytest.approx([norm(WHOLE)] * 4, rel=1e-12)


def test_no_process_ever_holds_the_logits_of_another(monkeypatch):
    brought = []

    def all_reduce_(group, tensors, plain=ThreadGroup.all_reduce_):
        brought.extend(list(tensor.shape) for tensor in tensors)
        plain(group, tensors)

    monkeypatch.setattr(ThreadGroup, "all_reduce_", all_reduce_)
    monkeypatch.setattr(ThreadGroup, "gather", None)
    together(2, step)
    assert len(brought) > 8
    assert {tuple(shape) for shape in brought} == {(3, 16, 32), (3, 16, 1)}


@pytest.mark.parametrize("way", ["copy_to", "reduce_from"])
def test_what_enters_or_leaves_may_be_used_beside(way):
    """Paddle takes a PyLayer that returns its argument for one in place: a wrong gradient."""
    def work(parts):
        x = paddle.ones([2])
        x.stop_gradient = False
        y = 3 * x
        (getattr(parts, way)(y) * y).sum().backward()
        return x.grad.tolist()

    assert together(2, work) == [[27.0, 27.0]] * 2


def test_alone_nothing_is_called_and_nothing_copied():
    x = paddle.ones([2, 3])
    assert WHOLE.copy_to(x) is x and WHOLE.reduce_from(x) is x and WHOLE.gather_from(x, 3) is x
    dropout = paddle.nn.Dropout(0.5)
    assert WHOLE.head_dropout(dropout) is dropout
    assert type(WHOLE.embedding(3, 2)) is paddle.nn.Embedding
    array = np.ones((2, 6))
    assert WHOLE.own("h.0.attn.c_attn.weight", array) is array
    assert not any(WHOLE.splits(name) for name in WEIGHTS)


def test_whole_logits_come_out_in_every_process_with_and_without_a_cache():
    def work(parts):
        model = build(parts)
        model.eval()
        with paddle.no_grad():
            ids, cache = paddle.to_tensor(BATCH["input_ids"]), model.new_cache()
            pieces = [model(piece, cache) for piece in ids.split([5, 1, 10], axis=1)]
            assert cache[0][0].shape == [3, 4 // parts.degree, 16, 8]
            return model(ids).numpy(), paddle.concat(pieces, axis=1).numpy()

    expected, _ = work(WHOLE)
    for pair in together(4, work):
        assert all(distance(logits, expected) < 1e-12 for logits in pair)


def test_a_loss_of_whole_logits_has_the_gradients_of_one_process():
    def work(parts):
        model = build(parts)
        model.eval()
        (model(paddle.to_tensor(BATCH["input_ids"])) ** 3).sum().backward()
        return {name: parts.whole(name, p.grad) for name, p in model.named_parameters()}

    expected = work(WHOLE)
    for gradients in together(2, work):
        for name in ("transformer.wte.weight", "transformer.h.0.ln_1.weight"):
            assert distance(gradients[name], expected[name]) < 1e-12


def test_generation_chooses_the_tokens_of_one_process():
    def work(parts):
        model = build(parts)
        (plain,) = generate(model, [[1, 2, 3]], Decoding(8))
        decoding = Decoding(8, "sampling", num_return_sequences=3, top_k=20)
        (drawn,) = generate(model, [[1, 2, 3]], decoding, draws=partial(uniform_draws, 3))
        return [text.token_ids for text in plain + drawn]

    expected = work(WHOLE)
    assert len({tuple(ids) for ids in expected}) == 4
    assert together(2, work) == [expected] * 2


def test_shares_by_hand():
    """Two heads of two: a process has its columns of q, of k and of v."""
    columns = np.arange(12.0)[None].repeat(4, 0)
    left, right = (Parts(Group(rank, (0, 1))) for rank in (0, 1))
    assert left.own("h.3.attn.c_attn.weight", columns)[0].tolist() == [0, 1, 4, 5, 8, 9]
    assert right.own("h.3.attn.c_attn.bias", columns[0]).tolist() == [2, 3, 6, 7, 10, 11]
    rows = np.arange(5.0)[:, None]
    assert left.own("wte.weight.moment2", rows).ravel().tolist() == [0, 1]
    assert right.own("transformer.wte.weight", rows).ravel().tolist() == [2, 3, 4]
    assert right.own("h.0.mlp.c_fc.weight", columns)[0].tolist() == [6, 7, 8, 9, 10, 11]
    assert right.own("h.0.mlp.c_proj.weight", columns).shape == (2, 12)
    for name in ("h.0.mlp.c_proj.bias", "wpe.weight", "h.0.attn.c_attn.weight.beta1_pow_acc"):
        assert right.own(name, rows) is rows and not right.splits(name)


@pytest.mark.parametrize("degree", [2, 4])
def test_whole_is_the_inverse_of_own(degree):
    def work(parts):
        moments = {f"{name}.moment1": array for name, array in WEIGHTS.items()}
        state = WEIGHTS | moments | {"transformer.wte.weight.beta1_pow_acc": np.array([0.9])}
        tensors = {name: paddle.to_tensor(parts.own(name, array)) for name, array in state.items()}
        return state, {name: parts.whole(name, tensor) for name, tensor in tensors.items()}, tensors

    for expected, found, own in together(degree, work):
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
        assert own["transformer.wte.weight.moment1"].shape[0] in (13, 14, 26, 27)


@pytest.mark.parametrize(("degree", "change", "message"), [
    (3, {}, "--mp_degree 3 does not divide the model's attention heads, 4: name a divisor of 4"),
    (4, {"n_inner": 50}, "--mp_degree 4 does not divide the model's MLP width, 50: name a divisor "
                         "of 2"),
    (4, {"vocab_size": 3}, "--mp_degree 4 exceeds the 3 tokens"),
])
def test_a_model_that_cannot_be_split_is_refused(degree, change, message):
    with pytest.raises(ValueError, match=message):
        GPTForCausalLM(CONFIG.with_(**change), Parts(Group(0, tuple(range(degree)))))


@pytest.mark.parametrize(("what", "value"), [
    ("input_ids", -1), ("input_ids", 53), ("labels", 53), ("labels", -1),
])
def test_an_id_outside_the_vocabulary_is_nan_in_every_process(monkeypatch, what, value):
    ids = BATCH[what].copy()
    ids[1, 3] = value
    monkeypatch.setitem(BATCH, what, ids)
    assert all(np.isnan(loss) for loss, _ in together(2, step))


REAL = """
import sys
import numpy as np
from paddle_impl.process import runtime
runtime.import_paddle("cpu")
import paddle
from paddle_impl.parallel.ranks import join
from paddle_impl.parallel.tensor import Parts
ranks = join(model=2)
from paddle_impl.config.decoding import Decoding
from paddle_impl.generate import generate
from tests.paddle_impl.meeting import build, entire
paddle.set_default_dtype("float64")
parts = Parts(ranks.model)
loss, gradients = entire(parts)
text = generate(build(parts), [[1, 2, 3]], Decoding(8))[0][0].token_ids
np.savez(sys.argv[1] + f"/{ranks.rank}.npz", loss=loss, text=text, **gradients)
"""


def test_two_real_processes(command, tmp_path):
    script = tmp_path / "real.py"
    script.write_text(REAL)
    done = command("-m", "paddle.distributed.launch", "--nproc_per_node", 2, "--log_dir",
                   tmp_path / "log", script, tmp_path, timeout=120)
    logs = [log.read_text() for log in (tmp_path / "log").glob("workerlog.*")]
    assert done.returncode == 0, done.stderr + "".join(logs)
    loss, gradients = entire(WHOLE)
    text = generate(build(WHOLE), [[1, 2, 3]], Decoding(8))[0][0].token_ids
    both = [np.load(tmp_path / f"{rank}.npz") for rank in range(2)]
    for name in both[0]:
        np.testing.assert_array_equal(both[0][name], both[1][name], err_msg=name)
    for found in both:
        assert found["loss"] == pytest.approx(loss, rel=1e-12)
        assert found["text"].tolist() == text
        for name in ("transformer.wte.weight", "transformer.h.0.attn.c_attn.weight",
                     "transformer.h.1.mlp.c_proj.weight", "transformer.ln_f.bias"):
            assert distance(found[name], gradients[name]) < 1e-12, name
