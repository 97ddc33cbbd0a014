"""What the tests of inspect share."""

import json

import pytest

from data_tools.inspect import main


@pytest.fixture
def look(tmp_path, capsys):
    """Write rows or content under a name and inspect it; what --json gives, or the lines."""

    def run(name: str, content, *flags, code: int = 0):
        path = tmp_path / name
        if not isinstance(content, str):
            content = (json.dumps(content) if name.endswith(".json") else
                       "".join(f"{json.dumps(row)}\n" for row in content))
        path.write_text(content, encoding="utf-8")
        assert main([str(path), *map(str, flags)]) == code
        shown = capsys.readouterr()
        if code == 2:
            return shown.err
        return json.loads(shown.out) if "--json" in flags else shown.out.splitlines()

    return run
