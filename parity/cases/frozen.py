"""Sets of trainable parameters, as fine-tuning chooses them."""

from dataclasses import replace

from parity.cases import Case
from parity.compare import Point, Trace

# name -> which parameters are trained; with the embeddings frozen no input of the first block needs
# a gradient, and with whole blocks frozen no input of the first trained one.
SETS = {
    "embeddings frozen": lambda name: ".wte" not in name and ".wpe" not in name,
    "one block and the last norm": lambda name: ".h.2." in name or ".ln_f" in name,
    "query, key and value": lambda name: "c_attn.weight" in name,
    "biases": lambda name: name.endswith("bias"),
    "head and embedding": lambda name: ".wte" in name,
}


def begun(case: Case) -> Case:
    """Two steps without dropout, clipped for every set."""
    return replace(case.without_dropout().begun(), clip=0.01)


def named(trace: Trace, name: str) -> Trace:
    """The trace with the set's name before that of each tensor."""
    return {Point(point.step, point.phase, f"{name}: {point.tensor}"): value
            for point, value in trace.items()}
