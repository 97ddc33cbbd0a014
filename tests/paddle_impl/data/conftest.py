"""Token files whose content is obvious: token i is i."""

import numpy as np
import pytest

from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter


@pytest.fixture
def write(tmp_path):
    """write(name, sizes, first): documents of these sizes, token i is first + i."""

    def written(name="count", sizes=(20,) * 5, first=0) -> TokenFile:
        with TokenFileWriter(tmp_path / name, 1000) as writer:
            for size in sizes:
                writer.append(np.arange(first, first + size))
                first += size
        return TokenFile.open(tmp_path / name)

    return written


@pytest.fixture
def counting(write):
    """Five documents of 20 tokens."""
    return write()
