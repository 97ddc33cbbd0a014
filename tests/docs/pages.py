"""README.md and docs/: their blocks, links and headings."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = "```"


class Block(NamedTuple):
    """line: number of the opening fence, from 1. info: the words after it, such as `bash run`."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks, in order."""
    found, begun = [], None
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith(FENCE):
            if begun is None:
                begun = number
            else:
                found.append(Block(page, begun, lines[begun - 1].removeprefix(FENCE).strip(),
                                   "\n".join(lines[begun : number - 1])))
                begun = None
    assert begun is None, f"{page.name}:{begun}: the block has no end"
    return found


def prose(page: Path) -> str:
    """The page without its blocks."""
    inside, kept = False, []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(FENCE):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Targets of [text](target) and ![text](target)."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub forms them; a second one of the same name ends in -1."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")
        found.append(f"{name}-{count}" if (count := _times(found, name)) else name)
    return set(found)


def _times(found: list[str], name: str) -> int:
    return sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", one) is not None for one in found)
