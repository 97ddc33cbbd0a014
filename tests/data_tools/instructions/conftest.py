"""Files of records as the tests name them."""

import json

import pytest


@pytest.fixture
def written(tmp_path):
    """Write rows, or content as it stands, under a name; the path."""

    def write(name: str, content) -> str:
        path = tmp_path / name
        if name.endswith(".parquet"):
            pyarrow = pytest.importorskip("pyarrow")
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist(content), path)
        elif isinstance(content, bytes | str):
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        else:
            path.write_text(json.dumps(content, indent=1) if name.endswith(".json") else
                            "".join(f"{json.dumps(row)}\n" for row in content), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture(scope="session")
def instruct_dir(gpt2_dir):
    folder = gpt2_dir.parent / "instruct"
    if not folder.is_dir():
        pytest.skip(f"the instruction data is not in {folder.parent}; set GPT_SHARED_DATA")
    return folder
