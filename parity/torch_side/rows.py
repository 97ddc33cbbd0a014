"""Rows that are packed or padded: each document alone, and transformers with its mask and ids."""

import torch
import torch.nn.functional as F

from parity.cases import Case, rows
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.backward import gradient_trace


def passes(case: Case, dtype: str) -> Trace:
    """Logits of every document, the mean loss of all and its gradients, for each layout."""
    trace: Trace = {}
    for layout in rows.LAYOUTS:
        model = weights.build(case, dtype)
        whole = _padded(model, case, layout) if layout in ("left", "right") else _alone
        loss, count = 0.0, 0
        for number, document in enumerate(rows.documents(case)):
            labels = torch.from_numpy(document["labels"])
            logits = whole(model, document, layout, number)
            trace[Point(0, "logits", f"{layout}: document {number}")] = logits.detach().numpy()
            loss = loss + F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
            count += int((labels != -100).sum())
        (loss / count).backward()
        trace[Point(0, "loss", layout)] = (loss / count).detach().numpy()
        trace |= {point._replace(tensor=f"{layout}: {point.tensor}"): value
                  for point, value in gradient_trace(model).items()}
    return trace


def _alone(model, document, layout: str, number: int) -> torch.Tensor:
    """Logits (n, V) of a document in a row of its own."""
    ids = torch.from_numpy(document["input_ids"])
    given = torch.from_numpy(rows.given_positions(len(ids))) if layout == "positions" else None
    # With a mask, or transformers would take a step in the positions for the next document.
    return model(ids[None], attention_mask=torch.ones_like(ids)[None],
                 position_ids=None if given is None else given[None], use_cache=False).logits[0]


def _padded(model, case: Case, layout: str):
    """The same from one padded batch, with positions as transformers' generate makes them."""
    batch = rows.laid_out(case, layout)
    kept = len(rows.LENGTHS)  # without the row of padding, whose softmax has no key at all
    mask = torch.from_numpy(batch["attention_mask"][:kept])
    position_ids = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
    logits = model(torch.from_numpy(batch["input_ids"][:kept]), attention_mask=mask,
                   position_ids=position_ids, use_cache=False).logits
    where = rows.places(layout, mask.shape[1])
    return lambda model, document, layout, number: logits[where[number][0], where[number][1]]
