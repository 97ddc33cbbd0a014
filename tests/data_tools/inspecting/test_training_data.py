"""inspect FILE: what a file of instructions, preferences or texts with labels holds."""

import json
import sys

import pytest

from data_tools.inspect import main

LONG = "a b c d e f g h i j"  # ten words, of which near duplicates are looked for


def instruction(text: str, output: str, **more) -> dict:
    return {"instruction": text, "output": output} | more


INSTRUCTIONS = [
    instruction("I", "O", input=""), instruction("I", "O "), instruction("I", "P"),
    instruction("I", "", input="N"), instruction(LONG, "O"), instruction(f"{LONG} i", "O"),
    {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]},
    {"messages": [{"role": "user", "content": "Q"}]},
]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_instructions(look, name):
    pytest.importorskip("rensa")
    found = look(name, INSTRUCTIONS, "--json")
    assert (found["kind"], found["records"]) == ("instructions", 8)
    assert found["kinds"] == {"instruction": 6, "conversation": 2}
    assert found["left_out"] == {"output is empty": [3], "no message of the assistant": [7]}
    assert found["empty"] == {"input": 5, "output": 1} and found["refused"] == []
    assert found["duplicates"] == {"equal": [1], "other_answer": [2], "near": [5]}
    assert list(found["lengths"]) == ["instruction", "input", "output", "alpaca text", "user",
                                      "assistant", "conversation"]
    assert found["lengths"]["instruction"] == {"characters": {
        "mean": (4 + 19 + 21) / 6, "min": 1, "p1": 1, "p5": 1, "p25": 1, "p50": 1, "p75": 1,
        "p95": 19, "p99": 19, "max": 21}}
    assert found["lengths"]["conversation"]["characters"]["max"] == len("Q\nA")
    assert found["longer"] is None


def test_instructions_for_people(look, tmp_path):
    pytest.importorskip("rensa")
    out = look("x.jsonl", INSTRUCTIONS)
    assert out[:9] == [
        f"{tmp_path / 'x.jsonl'}: 6 instructions, 2 conversations",
        "SFT leaves out 2, by their index counted from 0:",
        "  output is empty: 1, index 3",
        "  no message of the assistant: 1, index 7",
        "records that repeat an earlier one, by their index counted from 0:",
        "  all of it: 1, index 1",
        "  its prompt, with another output: 1, index 2",
        "  nearly all of it, of 10 words or more: 1, index 5",
        "empty: input 5, output 1",
    ]
    assert out[9].split() == ["characters", *"mean min p1 p5 p25 p50 p75 p95 p99 max".split()]
    assert out[10].split() == ["instruction", "7.3", *"1 1 1 1 1 1 19 19 21".split()]
    assert len({len(line) for line in out[9:]}) == 1 and len(out) == 17


def test_tokens_are_counted_with_the_template(look, tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tok")
    flags = ("--tokenizer", tmp_path / "tok")
    rows = [instruction("I", "O"), instruction("I", "Oxen")]
    header = "\n\n### Response:\n"
    text = ("Below is an instruction that describes a task. Write a response that appropriately "
            f"completes the request.\n\n### Instruction:\nI{header}O")
    tokens = len(tokenizer.encode(text))
    more = len(tokenizer.encode(f"{text}xen")) - tokens
    found = look("x.json", rows, *flags, "--json")
    assert found["lengths"]["alpaca text"]["tokens"]["min"] == tokens
    assert found["lengths"]["alpaca text"]["characters"]["min"] == len(text)
    assert found["longer"] == {"seq_length": 1024, "records": 0}
    for length, count in ((tokens - 1, 2), (tokens, 1), (tokens + more - 1, 1), (tokens + more, 0)):
        found = look("x.json", rows, *flags, "--json", "--seq_length", length)
        assert found["longer"] == {"seq_length": length, "records": count}
    out = look("x.json", rows, *flags, "--seq_length", tokens - 1)
    assert out[-1] == (f"by {tmp_path / 'tok'}; a run of {tokens - 1} tokens (--seq_length) cuts 2 "
                       "records")
    assert [line.split()[0] for line in out[-6:-1]] == [
        "tokens", "instruction", "input", "output", "alpaca"]
    pairs = [{"prompt": "I", "chosen": "O", "rejected": answer} for answer in ("P", "Oxen")]
    pairs.append({"prompt": "I", "chosen": "Oxen, a tie", "rejected": "Oxen, a tie"})
    longest = tokens - 1 + len(tokenizer.encode("Oxen")) + 1  # with the end token
    for length, count in ((longest - 1, 1), (longest, 0)):
        found = look("y.json", pairs, *flags, "--json", "--seq_length", length)
        assert found["longer"]["records"] == count
    texts = "a\tO\nb\tOxen\n"
    limit = len(tokenizer.encode("O"))
    found = look("z.tsv", texts, *flags, "--json", "--seq_length", limit)
    assert found["longer"]["records"] == 1


def pair(prompt: str, chosen: str, rejected: str) -> dict:
    return {"instruction": prompt, "input": "", "chosen": chosen, "rejected": rejected}


def test_preferences(look, tmp_path):
    pytest.importorskip("rensa")
    rows = [pair("I", "C", "R"), pair("I", "C", "C"), pair("J", "", "R"), pair("K", "Cc", " "),
            pair("I", "C", "R"), pair("L", "C", "Rr"),
            {"prompt": [{"role": "user", "content": "Q"}], "chosen": "C", "rejected": "R"}]
    found = look("x.jsonl", rows, "--json")
    assert found["kind"] == "preferences" and found["kinds"] == {"preference": 7}
    assert found["left_out"] == {
        "chosen equals rejected": [1], "chosen is empty": [2], "rejected is empty": [3]}
    assert found["duplicates"] == {"equal": [4], "other_answer": [1], "near": []}
    assert found["longer_answer"] == {"chosen": 1, "rejected": 2}
    assert found["empty"] == {"chosen": 1, "rejected": 1}
    out = look("x.jsonl", rows)
    assert out[:3] == [f"{tmp_path / 'x.jsonl'}: 7 preferences",
                       "DPO leaves out 3, by their index counted from 0:",
                       "  chosen equals rejected: 1, index 1"]
    assert "  its prompt, with other answers: 1, index 1" in out
    assert "the chosen answer is longer in 1 pairs, the rejected one in 2 (in characters)" in out


def test_labels(look, tmp_path):
    pytest.importorskip("rensa")
    rows = [("ham", "x"), ("spam", LONG), ("ham", "x"), ("spam", "x"), ("ham", '"y'),
            ("spam", f"{LONG} j")]
    content = "".join(f"{label}\t{text}\n" for label, text in rows)
    found = look("x.tsv", content, "--json")
    assert found["kind"] == "labels" and found["classes"] == {"ham": 3, "spam": 3}
    assert found["duplicates"] == {"equal": [2], "other_answer": [3], "near": [5]}
    assert found["lengths"]["text"]["characters"]["max"] == 21
    out = look("x.tsv", content + "eggs\tz\n")
    assert out[:3] == [f"{tmp_path / 'x.tsv'}: 7 labelled texts",
                       "3 classes: eggs 1 (14.3%), ham 3 (42.9%), spam 3 (42.9%)",
                       "with as many texts of each class as of the rarest, 1, 3 are left"]
    assert "  its text, with another label: 1, index 3" in out
    assert look("x.csv", "Label,Text\n0,x\n1,y\n", "--json")["classes"] == {"0": 1, "1": 1}
    found = look("x.jsonl", [{"text": "x", "label": n} for n in (10, 9, 10)], "--json")
    assert found["classes"] == {"9": 1, "10": 2}
    rows = [instruction("x", "A"), instruction("y", "B")]
    found = look("x.jsonl", rows, "--json", "--text_column", "instruction", "--label_column",
                 "output")
    assert found["classes"] == {"A": 1, "B": 1}
    found = look("x.csv", "a,b,c\nx,y,z\nx,v,w\n", "--json", "--text_column", "c",
                 "--label_column", "a")
    assert found["classes"] == {"x": 2}


def test_many_are_named_in_part(look):
    rows = [pair(str(n), "C", "C") for n in range(25)]
    assert look("x.jsonl", rows)[2] == (
        f"  chosen equals rejected: 25, index {', '.join(map(str, range(20)))}, and 5 more")
    many = "".join(f"{n}\tx{n}\n" for n in range(22))
    assert look("x.tsv", many)[1].endswith(" 19 1 (4.5%), and 2 more")


def test_a_json_of_lines_is_no_file_of_flags(look):
    lines = '{"instruction": "I", "output": "O"}\n{"instruction": "J", "output": "O"}\n'
    assert look("x.json", lines, "--json")["records"] == 2


def test_without_rensa_it_says_so(look, monkeypatch):
    monkeypatch.setitem(sys.modules, "rensa", None)
    rows = [instruction(LONG, "O"), instruction(LONG, "O"), instruction(f"{LONG} i", "O")]
    assert look("x.json", rows, "--json")["duplicates"] == {
        "equal": [1], "other_answer": [], "near": None}
    assert ("  nearly all of it, of 10 words or more: not looked for, which needs the package "
            "rensa: pip install rensa==0.5.0") in look("x.json", rows)


@pytest.mark.parametrize(("name", "content"), [
    ("x.json", INSTRUCTIONS), ("y.jsonl", [pair("I", "C", "R")]),
    ("z.tsv", "".join(f"{n}\t{'x' * (n + 1)}\n" for n in range(22))),
])
def test_the_picture(look, tmp_path, name, content):
    pytest.importorskip("matplotlib")
    look(name, content, "--plot", tmp_path / "x.svg")
    picture = (tmp_path / "x.svg").read_text(encoding="utf-8")
    told = {"x.json": ["6 instructions, 2 conversations", "input: median 1, 5 empty"],
            "y.jsonl": ["1 preference", "chosen: median 1", "rejected: median 1"],
            "z.tsv": ["22 labelled texts", "text: median 11", "22 classes, without the last 2"]}
    for text in told[name]:
        assert f"<!-- {text} -->" in picture or f": {text} -->" in picture, text


def test_the_shared_files(gpt2_dir, capsys):
    folder = gpt2_dir.parent

    def run(*arguments):
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    found = run(folder / "instruct" / "instruction-data-with-preference.json")
    assert found["left_out"] == {"chosen equals rejected": [122, 226, 400, 566, 628, 676]}
    found = run(folder / "instruct" / "instruction-data.json", "--tokenizer", gpt2_dir)
    assert found["records"] == 1100 and found["left_out"] == {}
    assert found["lengths"]["alpaca text"]["tokens"]["max"] == 91
    mean = found["lengths"]["alpaca text"]["tokens"]["mean"]
    assert round(mean * 1100) == 52760 + 6149 + 3116
    found = run(folder / "spam" / "SMSSpamCollection.tsv")
    assert found["classes"] == {"ham": 4827, "spam": 747}
