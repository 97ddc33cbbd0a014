"""Read references and outputs, from the files of the E2E challenge or from the data's own."""

from dataclasses import dataclass

from data_tools.e2e.reading import grouped, read_lines, read_pairs
from paddle_impl.config.options import require


@dataclass(frozen=True)
class References:
    """texts: the references of each instance. contexts: its meaning representation, linearised;
    None where the file has none. about: which set this is, for people.
    """

    texts: list[list[str]]
    contexts: list[str] | None
    about: str


def read_references(path: str, outputs: int) -> References:
    """From references a line each, with blank lines between instances, or from pairs.

    Pairs are `mr||text` lines, a .csv with the columns mr and ref, or a .jsonl with context and
    completion; they are grouped by meaning representation. outputs: how many a system has, which
    tells whether a file without blank lines is one instance or has one reference an instance.
    ValueError where a file cannot be read or has no reference.
    """
    lines = [] if path.lower().endswith((".csv", ".jsonl")) else read_lines(path)
    first = next(filter(str.strip, lines), None)
    if first is None or "||" in first:
        groups = grouped(read_pairs(path))
        texts, kind = list(groups.values()), "grouped by meaning representation"
        return References(texts, list(groups), _about(path, texts, kind))
    texts, kind = _blocks(lines), "blank lines between instances"
    require(len(texts) > 0, f"{path} holds no references")
    if len(texts) == 1 and outputs == len(texts[0]) > 1:
        texts, kind = [[text] for text in texts[0]], "no blank lines: one reference an instance"
    return References(texts, None, _about(path, texts, kind))


def read_outputs(path: str) -> list[str]:
    """A system's outputs, one a line, which may be empty."""
    return [line.strip() for line in read_lines(path)]


def check_counts(references: References, outputs: list[str], path: str) -> None:
    require(len(outputs) == len(references.texts),
            f"{path} has {len(outputs):,} outputs for {references.about}: expected a line for each "
            "instance, an empty one where there is no output")


def _blocks(lines: list[str]) -> list[list[str]]:
    """What stands between blank lines; several of them in a row count as one."""
    texts: list[list[str]] = [[]]
    for line in map(str.strip, lines):
        if line:
            texts[-1].append(line)
        elif texts[-1]:
            texts.append([])
    return texts if texts[-1] else texts[:-1]


def _about(path: str, texts: list[list[str]], kind: str) -> str:
    return f"{len(texts):,} instances with {sum(map(len, texts)):,} references of {path} ({kind})"
