"""AdamW by hand, for mutants: the right algorithm is a control, each deviation from it a bug.

Paddle's own step updates the moments. The mutants differ in how the update is computed from them.
"""

import math

import numpy as np


def step(model, optimizer, lr: float, wrong: str = "") -> None:
    """One step of AdamW (Loshchilov & Hutter, algorithm 2), with the deviation named by `wrong`."""
    before = {name: parameter.numpy() for name, parameter in model.named_parameters()}
    optimizer.step()
    rule = getattr(optimizer.rule, "adamw", None)
    if rule is None:
        return  # the legacy AdamW is another algorithm
    # The state is gathered from all processes; each updates its shares of split tensors.
    state = {key: model.parts.own(key, value) for key, value in optimizer.state().items()}
    for name, parameter in model.named_parameters():
        if not before[name].size or f"{name}.moment1" not in state:
            continue  # stage 3 has set it aside, where Paddle's step updates it; or it is frozen
        decayed = len(parameter.shape) >= 2
        decay = (1e-3 if wrong == "decay unscheduled" else lr) * rule._weight_decay * decayed
        change = lr * _direction(rule, state, name, wrong)
        if wrong == "decay afterwards":
            after = (before[name] - change) * (1.0 - decay)
        else:
            after = before[name] * (1.0 - decay) - change
        parameter.set_value(after.astype(before[name].dtype))


def _direction(rule, state: dict[str, np.ndarray], name: str, wrong: str) -> np.ndarray:
    """The corrected first moment over the root of the second, of the parameter's shape."""
    first, second = (
        state[f"{name}.moment{n}"] / (1.0 if wrong == f"moment {n} uncorrected" else correction)
        for n, correction in ((1, _correction(rule._beta1, state[f"{name}.beta1_pow_acc"])),
                              (2, _correction(rule._beta2, state[f"{name}.beta2_pow_acc"])))
    )
    epsilon = rule._epsilon
    if wrong == "epsilon inside the root":
        return first / np.sqrt(second + epsilon)
    if wrong == "epsilon uncorrected":
        epsilon /= math.sqrt(_correction(rule._beta2, state[f"{name}.beta2_pow_acc"]))
    return first / (np.sqrt(second) + epsilon)


def _correction(beta: float, power: np.ndarray) -> float:
    """1 - beta^t. Paddle stores beta^(t + 1), rounded to float32; t is read off its logarithm."""
    steps = round(math.log(float(power[0])) / math.log(beta)) - 1
    return 1.0 - beta**steps
