"""Training with a sharded optimizer computes what one process computes, at every stage."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddle_impl.objectives import causal_lm
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.optim.precision import FULL, Precision
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import WHOLE
from parity.paddle_side import meeting
from tests.paddle_impl.optim import sharding_job as job

MASTERS = Precision("O2", "float32")  # float32 below float64, as float16 below float32 on a GPU


@pytest.fixture(scope="module")
def alone() -> dict[str, np.ndarray]:
    return job.train(Ranks())


def assert_close(got: dict, expected: dict) -> None:
    """Updates are about 1e-2; key biases, whose gradients are rounding errors, move by 1e-14."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("size, shape, stage, recompute", [
    (3, {"sharding": 3}, 1, False),
    (4, {"sharding": 2}, 2, False),
    (4, {"sharding": 2}, 3, True),
    (4, {"sharding": 2, "model": 2}, 1, False),
    (4, {"sharding": 2, "model": 2}, 3, False),
])
def test_stages_compute_what_one_process_does(alone, size, shape, stage, recompute):
    """In float64; processes stand in threads. All of them return the whole."""
    results = meeting.run(
        size, lambda ranks: job.train(ranks, stage=stage, recompute=recompute), **shape)
    for got in results:
        assert_close(got, alone)


@pytest.mark.parametrize("trained, stage, recompute", [
    (".h.1.", 1, False), (".h.1.", 2, True), (".h.1.", 3, True), ("c_attn.weight", 3, False),
])
def test_stages_train_a_part_of_the_parameters(trained, stage, recompute):
    """The frozen ones keep their bits, and have no state."""
    start = dict(job.build(Ranks(), "float64").named_parameters())
    expected = job.train(Ranks(), trained=trained)
    assert all(trained in key for key in expected if " " not in key)
    for got in meeting.run(2, lambda ranks: job.train(
            ranks, stage=stage, recompute=recompute, trained=trained), sharding=2):
        assert_close(got, expected)
        for name, parameter in start.items():
            same = np.array_equal(got[f"weight {name}"], parameter.numpy())
            assert same == (trained not in name), name


def test_two_gloo_processes_have_the_bits_of_one(tmp_path):
    """In float32, stages 1 to 3, the last with blocks computed twice."""
    root = Path(__file__).parents[3]
    environment = {name: value for name, value in os.environ.items()
                   if name != "CUDA_VISIBLE_DEVICES"} | {"PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2",
         "--log_dir", str(tmp_path / "log"), job.__file__, str(tmp_path)],
        cwd=root, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = job.train(Ranks(), job.PAIRS, "float32")
    for stage in (1, 2, 3):
        with np.load(tmp_path / f"{stage}.npz") as got:
            assert set(got.files) == expected.keys()
            for name, value in expected.items():
                np.testing.assert_array_equal(got[name], value, err_msg=f"stage {stage}, {name}")


@pytest.mark.parametrize("way, next_way", [((1, {}, 1), (2, {"sharding": 2}, 3)),
                                           ((2, {"sharding": 2}, 2), (2, {"model": 2}, 1)),
                                           ((2, {"model": 2}, 1), (1, {}, 1))])
def test_a_run_goes_on_in_another_way(alone, way, next_way):
    """Two steps, then weights and moments as a checkpoint has them, then the third."""
    def run(way, **more):
        size, shape, stage = way
        return meeting.run(size, lambda ranks: job.train(ranks, stage=stage, **more), **shape)[0]

    got = run(next_way, steps=[2], state=run(way, steps=[0, 1]))
    assert_close(got | {"norms of": alone["norms of"]}, alone)
    np.testing.assert_allclose(got["norms of"], alone["norms of"][2:], rtol=1e-12)


def test_only_who_keeps_them_has_all_tensors():
    def work(ranks):
        _, optimizer = job.built(ranks, 1)
        return [read(keep=ranks.is_main) for read in (optimizer.state, optimizer.weights)]

    (state, weights), (nothing, none) = meeting.run(2, work, sharding=2)
    assert nothing == {} and none == {}
    assert len(state) == 4 * len(weights) == 4 * 28


def test_one_process_may_use_the_model_alone():
    """The others do not compute meanwhile: a pass that met them would wait for ever."""
    def work(ranks):
        model, optimizer = job.built(ranks, 3)
        losses = []
        with optimizer.without_sharding():
            assert all(p._is_initialized() for p in model.parameters())
            if ranks.is_main:
                loss, _ = causal_lm(model, job.batch(job.IDS[0, 0]))
                loss.backward()
                losses.append(float(loss))
                assert all(p.grad is not None for p in model.parameters())
        assert not all(p._is_initialized() for p in model.parameters())
        optimizer.clear_grad()
        losses.append(float(causal_lm(model, job.batch(job.IDS[0, 0]))[0]))
        return losses

    with_others, _ = meeting.run(2, work, sharding=2)
    assert with_others[0] == with_others[1]


class Net(paddle.nn.Layer):
    """A layer with master weights, and a LayerNorm, which has none."""

    parts = WHOLE

    def __init__(self):
        super().__init__()
        paddle.set_default_dtype("float64")
        self.linear, self.norm = paddle.nn.Linear(5, 3), paddle.nn.LayerNorm(3)
        paddle.set_default_dtype("float32")
        for index, parameter in enumerate(self.parameters()):
            values = np.random.default_rng(index).standard_normal(parameter.shape)
            parameter.set_value(1.0 + values / 8)

    def pull(self, gradients: dict[str, np.ndarray]) -> None:
        """Run a backward pass that gives these gradients, in each parameter's type."""
        for name, parameter in self.named_parameters():
            pull = paddle.to_tensor(gradients[name]).astype(parameter.dtype)
            (parameter * pull).sum().backward()


def gradients(seed: int) -> dict[str, np.ndarray]:
    """Random gradients that float32 holds exactly."""
    stream = np.random.default_rng(seed)
    shapes = {"linear.weight": (5, 3), "linear.bias": 3, "norm.weight": 3, "norm.bias": 3}
    return {name: stream.standard_normal(shape).astype(np.float32)
            for name, shape in shapes.items()}


def twenty_steps(ranks: Ranks, precision: Precision, stage: int = 1, lr: float = 0.01):
    """(masters, the model's weights) after steps of two passes in each process."""
    net = Net()
    optimizer = build_optimizer(
        net, learning_rate=lr, weight_decay=0.1, ranks=ranks, precision=precision, stage=stage)
    for step in range(20):
        for index in range(2):
            net.pull(gradients(100 * step + 10 * index + ranks.data.rank))
        optimizer.reduce_gradients()
        optimizer.step()
        optimizer.clear_grad()
    weights = {name: parameter.numpy() for name, parameter in net.named_parameters()}
    return optimizer.weights(), weights


@pytest.mark.parametrize("size, shape, stage", [(1, {}, 1), (2, {}, 1), (2, {"sharding": 2}, 1),
                                                (2, {"sharding": 2}, 2)])
def test_masters_are_what_the_higher_type_would_be(size, shape, stage):
    """Bit for bit: sums of gradients and updates are in float64, weights its float32 image."""
    expected = meeting.run(size, lambda ranks: twenty_steps(ranks, FULL))[0][0]
    for masters, weights in meeting.run(
            size, lambda ranks: twenty_steps(ranks, MASTERS, stage), **shape):
        for name, value in expected.items():
            np.testing.assert_array_equal(masters[name], value, err_msg=name)
            lower = np.float64 if name.startswith("norm") else np.float32
            assert weights[name].dtype == lower
            np.testing.assert_array_equal(weights[name], value.astype(lower), err_msg=name)


def test_without_masters_small_updates_are_lost():
    """Twenty updates of 1e-8 move a float32 of 1 only where they are added up elsewhere."""
    moved = []
    for precision in (MASTERS, FULL):
        net = Net()
        for parameter in net.parameters():
            parameter.set_value(np.ones(parameter.shape))
        if precision is FULL:
            net.to(dtype="float32")
        optimizer = build_optimizer(
            net, learning_rate=1e-8, weight_decay=0.0, precision=precision)
        for _ in range(20):
            net.pull({name: np.ones(p.shape) for name, p in net.named_parameters()})
            optimizer.step()
            optimizer.clear_grad()
        moved.append(float(1.0 - net.linear.weight[0, 0].astype("float64")))
    assert moved == [pytest.approx(2e-7, rel=0.2), 0.0]


def test_gradients_of_micro_batches_add_up_in_the_masters_type():
    net = Net()
    optimizer = build_optimizer(net, learning_rate=0.01, weight_decay=0.1, precision=MASTERS)
    for size in (1.0, 2.0**-30):
        net.pull({name: np.full(p.shape, size) for name, p in net.named_parameters()})
    for weight in optimizer.share.weights:
        assert (weight.grad.numpy() == 1.0 + 2.0**-30).all(), weight.name
