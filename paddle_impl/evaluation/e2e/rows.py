"""Outputs that need no model, beside which those of models can be judged; the table of all."""

from collections.abc import Callable, Mapping, Sequence

from data_tools.e2e.meaning import fields_of
from paddle_impl.evaluation.e2e.scores import METRICS, Scores, System


def echo(contexts: Sequence[str], references: Sequence[Sequence[str]]) -> System:
    """The meaning representation itself, as the model reads it."""
    return System(contexts, references, "the meaning representation itself")


def template(contexts: Sequence[str], references: Sequence[Sequence[str]]) -> System:
    """One template for every meaning representation: see `sentence`."""
    return System([sentence(context) for context in contexts], references,
                  "one template for every meaning representation")


def human(references: Sequence[Sequence[str]]) -> System:
    """The first reference of each instance against its other ones.

    Instances with a single reference are left out. ValueError where there are no others.
    """
    several = [list(own) for own in references if len(own) > 1]
    if not several:
        raise ValueError("no instance has two references, so no human text can be measured")
    left_out = len(references) - len(several)
    return System(
        [own[0] for own in several], [own[1:] for own in several],
        f"the first reference against the others; {left_out:,} instances with one are left out")


def sentence(context: str) -> str:
    """`name : X | Type : Y | area : Z` -> `X is a Y in the Z area .`

    ValueError where the meaning representation has no name.
    """
    fields = fields_of(context)
    if "name" not in fields:
        raise ValueError(f"the meaning representation has no name: {context!r}")
    kind = fields.get("Type", "place")
    words = [fields["name"], "is a", kind]
    for name, wording in _WORDINGS.items():
        if name in fields:
            words.append(wording(fields[name]))
    return " ".join([*words, "."])


def _friendly(value: str) -> str:
    return "that is family friendly" if value == "yes" else "that is not family friendly"


# In the order of the sentence; the words around the value of a field.
_WORDINGS: dict[str, Callable[[str], str]] = {
    "food": "serving {} food".format, "price": "in the {} price range".format,
    "customer rating": "with a {} customer rating".format, "area": "in the {} area".format,
    "near": "near {}".format, "family friendly": _friendly,
}


def markdown(rows: Mapping[str, Scores]) -> str:
    """The table of all rows in Markdown; a row's name stands first."""
    lines = [["system", *METRICS], ["---", *(["---:"] * len(METRICS))]]
    lines += [[name.replace("|", "\\|"), *map(scores.shown, METRICS)]
              for name, scores in rows.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
