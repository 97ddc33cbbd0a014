"""The command run in this process against a scripted server."""

import json
import re

import pytest

from data_tools import synthesize
from tests.scripted_endpoint import ScriptedEndpoint


class Result:
    """What a run has written and asked."""

    def __init__(self, code: int, output, said: str, server: ScriptedEndpoint, summary):
        self.code, self.output, self.said, self.server = code, output, said, server
        self.content = output.read_text(encoding="utf-8") if output.exists() else None
        self.summary = json.loads(summary.read_text()) if summary.exists() else None

    @property
    def records(self) -> list[dict]:
        if self.output.suffix == ".json":
            return json.loads(self.content)
        return [json.loads(line) for line in self.content.splitlines()]


@pytest.fixture
def run(in_process, tmp_path, capsys):
    """Run a kind; answer(path, body) is what the server says."""

    def begin(kind, answer, *argv, name="out.json") -> Result:
        output, summary = tmp_path / name, tmp_path / "summary.json"
        summary.unlink(missing_ok=True)
        with ScriptedEndpoint(answer) as server:
            code = synthesize.main([kind, "--endpoint", server.url, "--model", "m", "--output_file",
                                    str(output), "--retries", "0", "--summary_json", str(summary),
                                    *map(str, argv)])
        return Result(code, output, capsys.readouterr().err, server, summary)

    return begin


def politeness_in(prompt: str) -> str:
    return re.search(r"to be more (\w+)\. Keep", prompt)[1]


def output_in(prompt: str) -> str:
    return re.search("correct output `(.*?)`, slightly", prompt, re.S)[1]
