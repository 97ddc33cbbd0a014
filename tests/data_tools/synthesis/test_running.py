"""Runs of synthesize that are stopped, refused and continued."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools import synthesize
from tests.scripted_endpoint import ScriptedEndpoint, prompt_of

ROOT = Path(__file__).resolve().parents[3]


def slow(path, body):
    """24 instructions, most of them twice in 47 draws, and answers that take a moment."""
    time.sleep(0.01)
    if "prompt" in body:
        return f"Instruction {body['seed'] ** 2 % 47}\n"
    return f"On {prompt_of(body)}"


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path, in_process):
    def argv(server, name):
        return ["magpie", "--endpoint", server.url, "--model", "m", "--count", "24",
                "--output_file", str(tmp_path / name), "--retries", "0"]

    with ScriptedEndpoint(slow) as server:
        assert synthesize.main(argv(server, "whole.json")) == 0
        asked = len(server.requests)
    partial = tmp_path / "cut_partial.jsonl"
    for kept in (5, 15):
        with ScriptedEndpoint(slow) as server:
            process = subprocess.Popen(
                [sys.executable, "-m", "data_tools.synthesize", *argv(server, "cut.json")],
                cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
            while not partial.exists() or partial.read_bytes().count(b"\n") <= kept:
                assert process.poll() is None
                time.sleep(0.005)
            process.kill()
            process.wait()
    with open(partial, "ab") as file:  # as a power cut may leave it
        file.write(b'{"record": {"instr')
    with ScriptedEndpoint(slow) as server:
        assert synthesize.main([*argv(server, "cut.json"), "--concurrency", "7"]) == 0
        assert len(server.requests) < asked - 15
    assert (tmp_path / "cut.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cut.json", "whole.json"]


def test_a_server_that_ends_in_the_middle_costs_no_record(run, tmp_path):
    """After 20 requests without an answer the run ends; they are asked again."""
    rows = [{"instruction": f"Task {n}.", "output": f"Out {n}."} for n in range(60)]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    argv = "--input_file", tmp_path / "in.json"

    def dying(path, body):
        late = int(prompt_of(body).split("Out ")[1].split(".")[0]) >= 30
        return (503, "ending") if late else "new"

    stopped = run("preference", dying, *argv)
    assert stopped.code == 2 and stopped.content is None
    assert "20 requests in a row have no answer, the last one: HTTP 503: ending" in stopped.said
    went_on = run("preference", lambda path, body: "new", *argv)
    assert went_on.code == 0 and len(went_on.records) == 60
    assert "continuing behind 30 lines of" in went_on.said
    assert len(went_on.server.requests) == 30


def test_magpie_ends_too_when_its_server_does(run):
    stopped = run("magpie", lambda path, body: (503, "ending"), "--count", 2)
    assert stopped.code == 2 and "20 requests in a row" in stopped.said
    assert {body["seed"] for body in stopped.server.bodies("/v1/completions")} == {
        *range(123, 143)}


def test_another_run_does_not_go_on(run, tmp_path):
    stopped = run("magpie", lambda path, body: (404, "gone"))
    assert stopped.code == 2
    for flags, told in ((("--seed", 5), "(seed)"), (("--min_chars", 3), "(min_chars)")):
        other = run("magpie", slow, "--count", 2, *flags)
        assert other.code == 2 and f"other settings {told}: give those" in other.said
    (tmp_path / "in.json").write_text('[{"instruction": "a", "output": "b"}]')
    other = run("preference", slow, "--input_file", tmp_path / "in.json")
    assert other.code == 2 and "(kind, records)" in other.said
    assert run("magpie", slow, "--count", 2).code == 0  # with another --count it does


def test_a_file_is_not_replaced_unasked(run):
    first = run("magpie", slow, "--count", 2)
    again = run("magpie", slow, "--count", 3)
    assert again.code == 2 and "is there already: name another, or pass --overwrite" in again.said
    assert again.content == first.content and not again.server.requests
    assert len(run("magpie", slow, "--count", 3, "--overwrite").records) == 3


@pytest.mark.parametrize(("argv", "told"), [
    (("preference",), "name their file with --input_file"),
    (("preference", "--input_file", "x.json", "--count", "3"), "--count is for magpie, not for"),
    (("magpie", "--input_file", "x.json"), "--input_file is for preference, not for magpie"),
    (("magpie", "--stop", ""), "--pre_query and --stop must not be empty"),
    (("magpie", "--seed", "-1"), "--seed must lie in"), (("magpie", "--count", "0"), "--count"),
    (("magpie", "--timeout", "0"), "--timeout must be above 0"),
    (("magpie", "--temperature", "-1"), "--temperature must not be negative"),
    (("magpie", "--output_file", "x.txt"), "ends in .json or .jsonl"),
    (("evol",), "invalid choice: 'evol'"), (("magpie", "--model", "m", "--stops", "x"), "--stops"),
])
def test_flags_that_make_no_sense(argv, told, capsys):
    with pytest.raises(SystemExit) as ended:
        synthesize.main([*argv[:1], "--endpoint", "http://localhost:1", "--model", "m",
                         "--output_file", "out.json", *argv[1:]])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and told in err and err.count("\n") == 1


@pytest.mark.parametrize(("argv", "told"), [
    (("--endpoint", "localhost:1"), "is no URL of a server"),
    (("--endpoint", "http://127.0.0.1:9"), "cannot be reached"),
    (("--output_file", "no/such/x.json"), "its folder does not exist"),
    (("--summary_json", "no/such/x.json"), "its folder does not exist"),
    (("--api_key_variable", "NOT_SET_HERE"), "NOT_SET_HERE should hold the server's key"),
])
def test_what_cannot_be_asked_or_written(run, argv, told):
    found = run("magpie", slow, *argv)
    assert found.code == 2 and told in found.said and found.said.count("\n") == 1
