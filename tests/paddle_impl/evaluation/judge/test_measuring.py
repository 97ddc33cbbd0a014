"""run_evaluation.py --judge against a server that does what it is told."""

import itertools
import json
import subprocess
import sys
import time

import pytest

import run_evaluation
from tests.scripted_endpoint import ScriptedEndpoint

# What the judge replies, and the score that it is.
GARBAGE = {"85": 85, '"85"': 85, "85/100": 85, "Score: 85": 85, "**90**": 90, "100.": 100,
           "8.5": None, "5 reasons ... 90": None, "900": None, "-3": None, "1e124": None,
           "": None, "I cannot score this.": None}


def test_the_average_and_an_honest_count(judge):
    """Slow replies, errors that pass and errors that stay, garbage, and empty responses."""
    failed = set()

    def answer(response):
        number, _, reply = response.partition(":")
        if number == "slow":
            time.sleep(0.3)
        if number == "once" and response not in failed:
            failed.add(response)
            return 500, "for a moment"
        if number == "down":
            return 503, "for ever"
        return reply

    responses = [f"{number}:{reply}" for number, reply in enumerate(GARBAGE)]
    code, numbers, out, _ = judge(
        answer, [*responses, "slow:10", "once:20", "down:30", "", " \n"], "--judge_repeat", "0")
    expected = [*filter(None, GARBAGE.values()), 10, 20, 0, 0]
    assert code == 0 and numbers["scores"] == len(expected) == 10 and numbers["records"] == 18
    assert numbers["average"] == sum(expected) / 10
    lines = out.splitlines()
    assert "Number of scores: 10 of 18" in lines and "Average score: 56.00" in lines
    low, high = numbers["interval"]
    assert 0 <= low < 56 < high <= 100
    assert f"95 % interval: {low:.2f} to {high:.2f} (percentiles of 10000 bootstrap means)" in lines
    assert "Empty responses, which score 0 unasked: 2" in lines
    assert ("Failures, which do not count: 8 (7 replies without a score, 1 without a reply)"
            in lines)
    assert [one.get("score") for one in numbers["results"]] == [
        *GARBAGE.values(), 10, 20, None, 0, 0]
    for number, reply in enumerate(GARBAGE):
        assert numbers["results"][number]["reply"] == reply
    assert 'record 9: 900 lies outside of 0 to 100: "900"' in out
    assert "record 16: HTTP 503: " in out and "for ever" in out
    assert (numbers["empty_responses"], numbers["replies_without_a_score"],
            numbers["no_reply"]) == (2, 7, 1)


def test_what_is_asked(judge):
    _, numbers, _, server = judge(lambda response: "50", ["a"], "--seed", "9", model="llama")
    body, again = server.bodies()
    assert {**body, "messages": []} == {"model": "llama", "temperature": 0, "seed": 9,
                                        "messages": []}
    assert body == again  # asked twice, one of ten at least one
    assert (numbers["judge"], numbers["seed"], numbers["temperature"]) == ("llama", 9, 0)
    (message,) = body["messages"]
    assert message["role"] == "user" and message["content"].startswith("Given the input `Below is")


def test_the_key_and_the_bound_are_those_of_the_flags(judge, monkeypatch):
    def answer(response):
        time.sleep(0.02)
        return "50"

    monkeypatch.setenv("JUDGES_KEY", "secret")
    _, _, _, server = judge(answer, [*map(str, range(30))], "--judge_key_variable", "JUDGES_KEY",
                            "--judge_concurrency", "2")
    assert server.most == 2 and {key for *_, key in server.requests} == {"Bearer secret"}


def test_replies_without_a_score_are_not_asked_again(judge):
    _, _, _, server = judge(lambda response: "nonsense" if response == "a" else "5",
                            ["a", "b"], "--judge_repeat", "0")
    assert len(server.requests) == 2


def test_no_score_at_all_is_a_failure(judge):
    code, numbers, out, _ = judge(lambda response: "8.5", ["a", "b"])
    assert code == 2 and numbers["average"] is numbers["interval"] is None
    assert "Number of scores: 0 of 2\nAverage score: none, for there is no score\n" in out
    last = out.splitlines()[-1]
    assert last.startswith("run_evaluation.py: error: --judge http://127.0.0.1:")
    assert last.endswith(" has given no score to response")


def test_zeros_of_empty_responses_are_not_the_judges(judge):
    code, numbers, out, _ = judge(lambda response: "no", ["", "a"], "--judge_repeat", "0")
    assert code == 2 and "Number of scores: 1 of 2\nAverage score: 0.00\n" in out
    assert (numbers["scores"], numbers["scored_by_the_judge"]) == (1, 0)
    code, numbers, _, server = judge(lambda response: "no", ["", " "])
    assert code == 0 and numbers["average"] == 0.0 and not server.requests


def test_a_key_that_is_refused_ends_the_run(judge):
    code, numbers, out, server = judge(lambda response: (401, "wrong key"), ["a"] * 50)
    assert code == 2 and numbers is None and len(server.requests) <= 4
    assert out.count("\n") == 1 and "HTTP 401" in out


def test_a_second_ask_tells_whether_the_judge_repeats_itself(judge):
    count = itertools.count()

    def fickle(response):
        return str(next(count)) if int(response) % 2 else "word" if response == "0" else "50"

    code, numbers, out, server = judge(fickle, [*map(str, range(10))], "--judge_repeat", "1")
    assert code == 0 and len(server.requests) == 20 and numbers["asked"] == 20
    assert (numbers["asked_twice"], numbers["agreeing"], numbers["agreement"]) == (10, 5, 0.5)
    assert "Asked twice: 10 (100%), of which 5 with the same result (50%)" in out
    assert numbers["scores"] == 9


def test_the_share_that_is_asked_twice(judge):
    for share, expected in (("0", 20), ("0.25", 25), ("0.01", 21)):
        _, numbers, _, server = judge(lambda response: "50", [*map(str, range(20))],
                                      "--judge_repeat", share, model=share)
        assert len(server.requests) == expected
        assert numbers["asked_twice"] == expected - 20


def test_replies_are_kept_and_errors_are_not(judge):
    responses = ["a", "b", "c"]
    first = judge(lambda response: (500, "down") if response == "b" else "40", responses)
    assert first[1]["scores"] == 2
    code, numbers, out, server = judge(lambda response: "70", responses)
    assert code == 0 and numbers["average"] == 50.0 and numbers["asked"] >= 1
    assert all("`b`" in body["messages"][0]["content"] for body in server.bodies())
    again = judge(lambda response: (500, "not reached"), responses)
    assert again[1]["asked"] == 0 and not again[3].requests and again[1]["average"] == 50.0
    other = judge(lambda response: "10", responses, model="other")
    assert other[1]["average"] == 10.0  # another model's replies are its own
    seeded = judge(lambda response: "20", responses, "--seed", "1")
    assert seeded[1]["average"] == 20.0


def test_equal_questions_are_asked_once(judge):
    row = {"instruction": "Same.", "output": "x", "model 1 response": "a", "model 2 response": "a"}
    code, numbers, out, server = judge(lambda response: "30", [row, row], "--judge_repeat", "0")
    assert code == 0 and len(server.requests) == 1
    assert [one["responses"] for one in numbers["rows"]] == ["model 1 response", "model 2 response"]
    assert [one["average"] for one in numbers["rows"]] == [30.0, 30.0]
    assert out.count("Number of scores: 2 of 2") == 2


def test_one_field_without_scores_is_told(judge):
    row = {"instruction": "Same.", "output": "x", "response a": "a", "response b": "b"}
    code, numbers, out, _ = judge(lambda response: "30" if response == "a" else "no", [row])
    assert code == 2 and "has given no score to response b" in out
    assert numbers["rows"][0]["average"] == 30.0


def test_a_killed_run_goes_on_behind_its_replies(tmp_path):
    """kill -9 in the middle: what was answered is not asked again, and the numbers are equal."""
    rows = [{"instruction": f"Task {number}.", "output": "x", "response": str(number)}
            for number in range(40)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def answer(path, body):
        time.sleep(0.02)
        return str(int(body["messages"][0]["content"].split("model response `")[1].split("`")[0]))

    def argv(server, name):
        return ["--judge", server.url, "--judge_model", "m", "--responses",
                str(tmp_path / "r.jsonl"), "--judge_cache", str(tmp_path / f"{name}.jsonl"),
                "--output_file", str(tmp_path / f"{name}.json")]

    with ScriptedEndpoint(answer) as server:
        run_evaluation.main(argv(server, "whole"))
    with ScriptedEndpoint(answer) as server:
        process = subprocess.Popen([sys.executable, run_evaluation.__file__, *argv(server, "cut")])
        while len(server.requests) < 15:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
    kept = (tmp_path / "cut.jsonl").read_bytes().count(b"\n")
    assert 0 < kept < 40
    with ScriptedEndpoint(answer) as server:
        run_evaluation.main(argv(server, "cut"))
        assert len(server.requests) == 44 - kept
    whole, cut = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "cut"))
    assert cut["results"] == whole["results"] and cut["average"] == whole["average"] == 19.5


@pytest.mark.parametrize(("argv", "told"), [
    (("--judge", "http://localhost:1"), "--judge scores responses: name their file with --resp"),
    (("--responses", "r"), "what to measure?"),
    (("--judge", "u", "--responses", "r", "--model_name_or_path", "m"), "is not for --judge"),
    (("--judge", "u", "--responses", "r", "--minitest"), "--minitest and --judge exclude"),
    (("--judge", "u", "--responses", "r", "--top_p", "0.5"), "--top_p is for --humaneval"),
    (("--judge", "u", "--responses", "r", "--judge_repeat", "2"), "--judge_repeat must lie in"),
    (("--judge", "u", "--responses", "r", "--judge_timeout", "0"), "--judge_timeout must be"),
    (("--judge", "u", "--responses", "r", "--judge_concurrency", "0"), "must be at least 1"),
    (("--minitest", "--model_name_or_path", "m", "--judge_repeat", "1"), "is for --judge, not for"),
    (("--judge", "u", "--responses", "no.json"), "no.json cannot be read"),
    (("--judge", "u", "--responses", "r.json"), "'u' is no URL of a server"),
    (("--judge", "http://localhost:1", "--responses", "r.json", "--judge_cache", "r.json"),
     "--responses and --judge_cache name the same file"),
])
def test_what_cannot_be_judged(argv, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_text(
        '[{"instruction": "a", "output": "b", "response": "c"}]')
    with pytest.raises(SystemExit) as ended:
        run_evaluation.main([*argv])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and told in err and err.count("\n") == 1


def test_judging_needs_no_paddle(tmp_path, command):
    (tmp_path / "r.json").write_text('[{"instruction": "a", "output": "b", "response": ""}]')
    code = ("import sys, run_evaluation\n"
            f"run_evaluation.main(['--judge', 'http://127.0.0.1:9', '--judge_model', 'm', "
            f"'--responses', {str(tmp_path / 'r.json')!r}, "
            f"'--judge_cache', {str(tmp_path / 'c.jsonl')!r}])\n"
            "assert 'paddle' not in sys.modules")
    done = command("-c", code)
    assert done.returncode == 0, done.stderr
    assert "Number of scores: 1 of 1\nAverage score: 0.00\n" in done.stdout
