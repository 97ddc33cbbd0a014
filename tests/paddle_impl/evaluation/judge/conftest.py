"""Responses whose text tells a scripted judge what to reply."""

import json
import re

import pytest

import run_evaluation
from tests.scripted_endpoint import ScriptedEndpoint, prompt_of


def response_in(body: dict) -> str:
    """The response that a question is about."""
    return re.search("score the model response `(.*?)` on a scale", prompt_of(body), re.S)[1]


@pytest.fixture
def judge(tmp_path, capsys):
    """Run --judge on responses, each answered by `answer`: (exit code, numbers, out, server)."""

    def run(answer, responses, *argv, model="m"):
        rows = [{"instruction": f"Task {number}.", "output": "x", "response": text}
                if isinstance(text, str) else text for number, text in enumerate(responses)]
        (tmp_path / "r.json").write_text(json.dumps(rows))
        output = tmp_path / "out.json"
        output.unlink(missing_ok=True)
        with ScriptedEndpoint(lambda path, body: answer(response_in(body))) as server:
            try:
                run_evaluation.main([
                    "--judge", server.url, "--responses", str(tmp_path / "r.json"),
                    "--judge_cache", str(tmp_path / "cache.jsonl"), "--judge_model", model,
                    "--output_file", str(output), "--judge_retries", "1", *argv])
                code = 0
            except SystemExit as ended:
                code = ended.code
        numbers = json.loads(output.read_text()) if output.exists() else None
        said = capsys.readouterr()
        return code, numbers, said.out if code == 0 else said.out + said.err, server

    return run
