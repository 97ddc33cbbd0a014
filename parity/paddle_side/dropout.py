"""Training mode: gradients under shared dropout masks, and statistics of each side's own masks."""

from collections.abc import Callable
from functools import partial

import numpy as np
import paddle
from paddle import nn

from paddle_impl import objectives
from paddle_impl.parallel.ranks import Group, Ranks
from paddle_impl.training import measuring
from paddle_impl.training.trainer import Cadence, Trainer
from parity import statistics
from parity.cases import DROPOUT, MICRO_BATCHES, Case
from parity.compare import Point, Trace
from parity.paddle_side import meeting, training, weights
from parity.paddle_side.backward import gradient_trace
from parity.paddle_side.forward import summed_loss
from parity.paddle_side.ranks import share_of
from parity.paddle_side.training import Recorded, build_optimizer

_SEED = 7


def masks(case: Case, dtype: str) -> dict[str, np.ndarray]:
    """The masks that `masked_step` will draw: layer -> mask of its input's shape."""
    model = weights.build(case, dtype)
    own: dict[str, np.ndarray] = {}

    def record(name, values, dropped):
        own[name] = (dropped != 0) | (values == 0)

    _watch(model, record)
    _seeded_loss(model, case)
    return own


def masked_step(case: Case, dtype: str) -> Trace:
    """Loss and gradients in training mode, with the masks that training draws."""
    model = weights.build(case, dtype)
    loss = _seeded_loss(model, case)
    loss.backward()
    return {Point(0, "loss", "loss"): loss.numpy()} | gradient_trace(model)


def masks_of_run(case: Case, dtype: str) -> dict[str, np.ndarray]:
    """The masks that `trained` will draw, in the order of the passes and of the layers.

    Each of two data parallel ranks takes one micro batch of a step. Each draws alone here.
    """
    case = case.begun()
    own = [_passes(share_of(case, ranks), dtype, 0, ranks.data.rank)
           for ranks in map(_data_parallel, range(MICRO_BATCHES))]
    return {f"{name}, rank {rank}, {layer}": mask != 0 for name in own[0]
            for rank, passes in enumerate(own) for layer, mask in passes[name].items()}


def trained(case: Case, dtype: str) -> Trace:
    """Two steps in training mode in four ranks: data parallel of two, tensor parallel of two.

    Blocks are recomputed, and after each step an evaluation runs, which must not change the masks.
    """
    case = case.begun()

    def work(ranks: Ranks) -> Trace:
        model = weights.build_share(case, dtype, ranks.model)
        model.recompute = True

        def evaluate(step: int) -> None:
            measuring.measure(model, objectives.CAUSAL_LM, case.steps[0], ranks)

        optimizer = build_optimizer(model, ranks)
        return training.run(share_of(case, ranks), model, optimizer, ranks=ranks, after=evaluate)

    return meeting.run(2 * MICRO_BATCHES, work, model=2)[0]


def draws(case: Case, dtype: str) -> Trace:
    """Statistics of the masks of two steps of two micro batches, on two ranks and with two seeds.
    """
    passes = {f"seed {seed}, rank {rank}, {name}": own for seed, rank in ((7, 0), (7, 1), (8, 0))
              for name, own in _passes(case, dtype, seed, rank).items()}
    trace = statistics.mask_trace(passes, 1.0 - DROPOUT)
    again = _passes(case, dtype, 7, 0)
    for name, own in again.items():
        same = all(np.array_equal(own[k], passes[f"seed 7, rank 0, {name}"][k]) for k in own)
        trace[Point(0, "repeats", name)] = np.asarray(same)
    return trace


def _passes(case: Case, dtype: str, seed: int, rank: int) -> dict[str, statistics.Masks]:
    """The masks of each forward pass of two training steps."""
    model = weights.build(case, dtype)
    passes = {}
    own: statistics.Masks = {}

    def record(name, values, dropped):
        own[name] = statistics.mask(values, dropped)

    def loss(model, batch):
        own.clear()
        result = objectives.CAUSAL_LM.loss(model, batch)
        step, index = divmod(len(passes), len(case.steps[0]))
        passes[f"step {step + 1}, micro batch {index}"] = dict(own)
        return result

    _watch(model, record)
    Trainer(
        model=model, optimizer=build_optimizer(model),
        objective=objectives.CAUSAL_LM._replace(loss=loss),
        loader=Recorded(case.steps), grad_clip=0.0, seed=seed, ranks=Ranks(data=Group(rank)),
        cadence=Cadence(max_steps=2, logging_freq=1, eval_freq=3, save_steps=3,
                          learning_rate=lambda step: 1e-3),
        log=lambda record: None, evaluate=lambda step: None, save=lambda step: None,
    ).train(start_step=0)
    return passes


def _data_parallel(rank: int) -> Ranks:
    """The place of one data parallel rank, without a connection to the others."""
    return Ranks(data=Group(rank, tuple(range(MICRO_BATCHES))))


def _seeded_loss(model, case: Case) -> paddle.Tensor:
    model.train()
    paddle.seed(_SEED)
    loss_sum, weight = summed_loss(model, case.batch)
    return loss_sum / weight


def _watch(model, record: Callable) -> None:
    """Call record(name, input, output) with numpy arrays at every dropout layer's forward pass.

    Paddle's own comparison would call floats equal that differ by less than 1e-8, such as zero and
    the probabilities of masked positions, which its softmax leaves near 1e-29.
    """
    def hook(name, _layer, inputs, output):
        record(name, inputs[0].numpy(), output.numpy())

    for name, layer in model.named_sublayers():
        if isinstance(layer, nn.Dropout):
            layer.register_forward_post_hook(partial(hook, name))
