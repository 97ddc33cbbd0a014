"""Master weights by definition (Micikevicius et al. 2018): AdamW updates weights in the higher type
with gradients that are summed in it; the model computes with their image in the lower type.
"""

import numpy as np
import torch

from parity.cases import Case
from parity.cases import masters as fixtures
from parity.compare import Point, Trace
from parity.torch_side import training, weights


def steps(case: Case, dtype: str) -> Trace:
    """Gradient norms, masters and moments of steps with given gradients; whether the model's
    weights are the masters in the lower type.
    """
    model = weights.build(case, dtype)
    masters = dict(model.named_parameters())
    optimizer, scheduler = training.optimizer_and_scheduler(case, model)
    for name, master in masters.items():
        master.data = torch.from_numpy(fixtures.start(case, name))
    trace: Trace = {}
    for step in range(1, fixtures.STEPS + 1):
        for name, master in masters.items():
            master.grad = sum(
                torch.from_numpy(fixtures.gradient(case, name, step, micro_batch, rank)).double()
                for micro_batch in range(fixtures.MICRO_BATCHES) for rank in range(fixtures.RANKS))
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), case.clip)
        trace[Point(step, "norm curve", "raw gradient norm")] = np.asarray(float(norm))
        optimizer.step()
        scheduler.step()
    for name, master in masters.items():
        trace |= training.update(fixtures.STEPS, case, name, master.detach().numpy())
        for phase, slot in (("first moment", "exp_avg"), ("second moment", "exp_avg_sq")):
            trace[Point(fixtures.STEPS, phase, name)] = optimizer.state[master][slot].numpy()
        trace[Point(fixtures.STEPS, "kept", name)] = np.asarray(True)
    return trace
