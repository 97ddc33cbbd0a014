"""Rows that are packed or padded, by the model's masks, positions and segments."""

import numpy as np

from paddle_impl.layers import masks
from paddle_impl.training.measuring import to_tensors
from parity.cases import Case, rows
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.backward import gradient_trace
from parity.paddle_side.forward import summed_loss


def passes(case: Case, dtype: str) -> Trace:
    """Logits of every document, the mean loss of all and its gradients, for each layout."""
    trace: Trace = {}
    for layout in rows.LAYOUTS:
        model, batch = weights.build(case, dtype), rows.laid_out(case, layout)
        tensors = to_tensors(batch)
        logits = model(tensors["input_ids"], **masks.of_batch(tensors)).numpy()
        assert np.isfinite(logits).all()  # at padding too
        for number, (row, at) in enumerate(rows.places(layout, logits.shape[1])):
            trace[Point(0, "logits", f"{layout}: document {number}")] = logits[row, at]
        loss_sum, count = summed_loss(model, batch)
        (loss_sum / count).backward()
        trace[Point(0, "loss", layout)] = (loss_sum / count).numpy()
        trace |= {point._replace(tensor=f"{layout}: {point.tensor}"): value
                  for point, value in gradient_trace(model).items()}
    return trace
