"""Which optimizer the flags name."""

from functools import partial

from paddle_impl.config.optimizer import LEGACY, OptimizerOptions
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.optim.legacy_adamw import LegacyAdamW
from paddle_impl.optim.optimizer import Optimizer
from paddle_impl.optim.precision import Precision
from paddle_impl.parallel.ranks import Ranks


def chosen_optimizer(
    options: OptimizerOptions, model, *, learning_rate: float, ranks: Ranks, precision: Precision,
    stage: int,
) -> Optimizer:
    """The optimizer over the model's trainable parameters; see adamw.build_optimizer."""
    numbers = {"weight_decay": options.weight_decay, "learning_rate": learning_rate,
               "beta1": options.adam_beta1, "beta2": options.adam_beta2,
               "epsilon": options.adam_epsilon}
    if options.optimizer == LEGACY:
        rule = partial(LegacyAdamW, correct_bias=options.correct_bias,
                       decays_all=not options.no_decay_bias, **numbers)
        return Optimizer(model, rule, ranks=ranks, precision=precision, stage=stage)
    return build_optimizer(model, ranks=ranks, precision=precision, stage=stage, **numbers)
