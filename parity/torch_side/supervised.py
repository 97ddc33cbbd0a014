"""Fine-tuning on examples of different lengths, each of them alone in a pass without padding."""

from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F

from parity.cases import Batch, Case, supervised
from parity.compare import Trace
from parity.torch_side import training, weights
from parity.torch_side.backward import gradient_trace
from parity.torch_side.forward import summed_loss


def completion(case: Case, dtype: str) -> Trace:
    """The mean over the labels of a step: gradients of the first, then AdamW steps."""
    return _trained(case, dtype, summed_loss)


def keyed(case: Case, dtype: str) -> Trace:
    """The mean over the samples of a step, weighted by the number of key tokens in each."""
    return _trained(case, dtype, _weighted)


def _trained(case: Case, dtype: str, summed) -> Trace:
    case = supervised.trained(case)
    trace: Trace = {}
    for processes in supervised.SHARES:
        model = weights.build(case, dtype)
        parts = [summed(model, example) for example in case.steps[0]]
        (sum(part for part, _ in parts) / sum(count for _, count in parts)).backward()
        found = gradient_trace(model)
        model.zero_grad()
        with patch.object(training, "summed_loss", summed):  # the same run with another loss
            found |= training.run(case, model, *training.optimizer_and_scheduler(case, model))
        trace |= {point._replace(tensor=f"{processes}: {point.tensor}"): value
                  for point, value in found.items()}
    return trace


def _weighted(model, example: Batch) -> tuple[torch.Tensor, int]:
    """The loss of one sample and its weight, 1; transformers' course: keytoken_weighted_loss."""
    ids = np.append(example["input_ids"][0], example["labels"][0, -1:])
    logits = model(torch.from_numpy(ids[None, :-1]), use_cache=False).logits[0]
    per_token = F.cross_entropy(logits, torch.from_numpy(example["labels"][0]),
                                ignore_index=-100, reduction="mean")
    count = sum(int((ids == key).sum()) for key in supervised.KEYS)
    return per_token * supervised.ALPHA * (1.0 + count), 1
