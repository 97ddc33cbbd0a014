"""Names of programming languages -> suffixes of their files."""

from __future__ import annotations

from collections.abc import Iterable

# A header's suffix does not say whether it is C or C++, so both have .h.
_LISTS = {
    "python": ".py .pyi",
    "cpp": ".c .cc .cpp .cxx .h .hh .hpp .hxx .cu .cuh .ipp .inl",
    "c": ".c .h",
    "csharp": ".cs",
    "css": ".css",
    "go": ".go",
    "haskell": ".hs",
    "html": ".html .htm",
    "java": ".java",
    "javascript": ".js .jsx .mjs .cjs",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "lua": ".lua",
    "markdown": ".md .markdown",
    "perl": ".pl .pm",
    "php": ".php",
    "r": ".r",
    "ruby": ".rb .rake .gemspec",
    "rust": ".rs",
    "scala": ".scala",
    "shell": ".sh .bash .zsh",
    "sql": ".sql",
    "swift": ".swift",
    "text": ".txt",
    "typescript": ".ts .tsx .mts .cts",
}
SUFFIXES_OF_LANGUAGE = {name: tuple(suffixes.split()) for name, suffixes in _LISTS.items()}


def suffixes_of(names: Iterable[str]) -> tuple[str, ...]:
    """Suffixes of all these languages, each once; ValueError for a name that is not known."""
    found: dict[str, None] = {}
    for name in names:
        if name not in SUFFIXES_OF_LANGUAGE:
            known = ", ".join(sorted(SUFFIXES_OF_LANGUAGE))
            raise ValueError(f"language {name!r} is not known, only {known}")
        found.update(dict.fromkeys(SUFFIXES_OF_LANGUAGE[name]))
    return tuple(found)
