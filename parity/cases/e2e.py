"""Outputs with their references, and records of a context and its completion."""

import numpy as np

from parity.cases import Case, drawing

# Each has an output and references of other lengths. 7 words are as near to 6 as to 8; numbers,
# signs, entities and capitals are cut as mteval cuts them.
_INSTANCES = (
    ("The Mill is a cheap pub .", "The Mill is cheap .", "The Mill , a cheap pub , is near .",
     "A cheap pub by the riverside is the Mill ."),
    ("the eagle is a COFFEE shop, rated 3.5 of 5.0 by its guests",
     "The Eagle is a coffee shop with a rating of 3.5 out of 5.0.",
     "Guests rate the Eagle, a coffee-shop, 3.5 of 5.0!"),
    ("Fish &amp; chips for less than £20-25, at the \"Vaults\" (city centre)",
     "At the Vaults in the city centre fish &amp; chips are less than £20-25.",
     "Fish & chips, for less than £ 20-25, at the 'Vaults' (city-centre)."),
    ("no no no no children, it is not family friendly, no",
     "It is not family friendly, no children.", "No, no: it is not family friendly at all."),
    ("Zizzi serves 1,000 kinds of Café food near Burger King",
     "Near Burger King, Zizzi has 1,000 kinds of food."),
)


def corpora() -> dict[str, tuple[list[str], list[list[str]]]]:
    outputs = [output for output, *_ in _INSTANCES]
    references = [list(own) for _, *own in _INSTANCES]
    return {
        "as they are": (outputs, references),
        "long": ([f"{output} {output}" for output in outputs], references),
        "short": ([" ".join(output.split()[:5]) for output in outputs], references),
        "no four words alike": (
            [" ".join(reversed(output.split())) for output in outputs], references),
        "one reference": (outputs, [own[:1] for own in references]),
        "a human": ([own[0] for own in references[:4]], [own[1:] for own in references[:4]]),
    }


ROWS, PER_PASS = 8, 2
SEQ_LEN = 24  # in place of 512


def records(case: Case) -> list[tuple[list[int], list[int]]]:
    """(context, completion) of ROWS records, of which two are cut and one has a context only."""
    rng, made = np.random.default_rng(16), []
    lengths = ((3, 9), (7, 2), (1, 4), (5, 12), (11, 1), (10, 20), (4, 6), (SEQ_LEN, 3))
    for own, other in lengths:
        (ids,) = drawing.random_tokens(case.config, rng, 1, own + other)
        made.append((ids[:own].tolist(), ids[own:].tolist()))
    return made
