"""Patterns for paths match the paths they describe; a pattern that cannot match is refused."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.reading.globs import Globs

PARTS = ["a", "ab", "b.py", "*", "?", "*.py", "a*", "[ab]", "[!a]", "[a-c]b", "[", "[]a]", "[!]a]",
         "[b-a]", "[+-0]", ".x", "a]", "[a-", "\\d", "a+"]
NAMES = ["a", "ab", "b", "c", "b.py", ".x", "cb", "]", "[", "-", "a]", "[a-", "\\d", "a+", "é\n"]
patterns = st.lists(st.sampled_from([*PARTS, "**"]), min_size=1, max_size=4).map("/".join)
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


def matches(path: list[str], pattern: list[str]) -> bool:
    """Whether the pattern matches, compared name by name with the standard library's fnmatch."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(path)
        return any(matches(path[i:], pattern[1:]) for i in range(len(path) + 1))
    return bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and matches(path[1:],
                                                                              pattern[1:])


@given(paths, st.lists(patterns, min_size=1, max_size=3))
def test_a_path_matches_by_its_names(path, chosen):
    expected = any(matches(path.split("/"), pattern.split("/")) for pattern in chosen)
    assert Globs(chosen).match(path) == expected


@given(paths, patterns, paths)
def test_a_folder_is_covered_only_when_all_below_matches(folder, pattern, below):
    globs = Globs([pattern])
    if globs.match_all_below(folder):
        assert globs.match(f"{folder}/{below}")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.py", "a.py", "src/a.py"),
        ("**/*.py", "a.py", "a.pyi"),
        ("src/**", "src/lib/a.py", "src"),
        ("**/test/**", "lib/test/deep/a.py", "lib/tests/a.py"),
        ("src/?.py", "src/a.py", "src/ab.py"),
        ("[*].py", "*.py", "a.py"),
    ],
)
def test_examples(pattern, yes, no):
    assert Globs([pattern]).match(yes) and not Globs([pattern]).match(no)


def test_no_pattern_matches_nothing():
    assert not Globs([]) and not Globs([]).match("a.py") and not Globs([]).match_all_below("a")


def test_whole_folders_are_known():
    globs = Globs(["**/node_modules/**", "build/**", "a/*"])
    assert globs.match_all_below("x/node_modules") and globs.match_all_below("build")
    assert not globs.match_all_below("x") and not globs.match_all_below("a")


@pytest.mark.parametrize("pattern", ["", "/home/me/*.py", "docs/", "a//b"])
def test_a_pattern_with_an_empty_part_is_refused(pattern):
    with pytest.raises(ValueError, match="empty part.*inside of an input folder"):
        Globs([pattern])


def test_two_stars_are_a_folder_of_their_own():
    with pytest.raises(ValueError, match=r"\*\* is a whole folder's name, as in \*\*/\*\.py"):
        Globs(["src/**.py"])
