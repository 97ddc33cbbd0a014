"""Names of languages stand for file suffixes."""

import pytest

from data_tools.reading.corpus import PYTHON_AND_CPP
from data_tools.reading.languages import SUFFIXES_OF_LANGUAGE, suffixes_of


def test_python_and_cpp_are_the_default():
    assert suffixes_of(["python", "cpp"]) == PYTHON_AND_CPP
    assert PYTHON_AND_CPP == tuple(
        ".py .pyi .c .cc .cpp .cxx .h .hh .hpp .hxx .cu .cuh .ipp .inl".split()
    )


def test_a_suffix_of_two_languages_comes_once():
    assert suffixes_of(["c", "java", "cpp"])[:3] == (".c", ".h", ".java")
    assert suffixes_of(["c", "cpp"]).count(".h") == 1


def test_every_suffix_is_one_that_a_lowered_name_can_end_in():
    for suffixes in SUFFIXES_OF_LANGUAGE.values():
        assert suffixes and all(s == s.lower() and s.startswith(".") for s in suffixes)


def test_an_unknown_language_names_the_known_ones():
    with pytest.raises(ValueError, match="'cobol' is not known, only c, cpp, csharp"):
        suffixes_of(["python", "cobol"])
