"""Answers of several checkpoints to the same prompts, side by side."""

import json
from html.parser import HTMLParser

import pytest

import run_evaluation
from paddle_impl.evaluation.comparison import read_all, side_by_side
from paddle_impl.evaluation.page import page

PROMPTS = ("def fibonacci(n):\n", "import os\n", "The capital")
SETTINGS = {"greedy": {"strategy": "greedy_search"}, "sampled": {"strategy": "sampling"}}


def told(**changes):
    one = {"text": "same line\nx = 1\n"}
    return {"mode": "minitest", "checkpoint": "out/model_1", "seed": 1, "settings": SETTINGS,
            "answers": [{"prompt": p, "greedy": one, "sampled": one} for p in PROMPTS]} | changes


@pytest.fixture
def written(tmp_path):
    def write(*files):
        paths = [tmp_path / f"{number}.json" for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_text(json.dumps(content))
        return [str(path) for path in paths]

    return write


def test_columns(written):
    other = told(checkpoint="out/model_2")
    greedy = "    a b\x1b[2J\n\nab" + "c" * 40
    other["answers"][0] = {"prompt": PROMPTS[0], "greedy": {"text": greedy},
                           "sampled": {"text": ""}}
    paths = written(told(), other)
    lines = side_by_side(paths, read_all(paths), 42).splitlines()
    start = lines.index("--- [1] greedy -----  --- [2] greedy -----")
    assert lines[:start] == [f"[1] {paths[0]}: out/model_1", f"[2] {paths[1]}: out/model_2",
                             "=== 1 " + "=" * 36, "def fibonacci(n):"]
    assert lines[start + 1 : start + 6] == [
        "same line                 a b\ufffd[2J",
        "x = 1",
        "                      ab" + "c" * 18,
        "                      " + "c" * 20,
        "                      cc",
    ]
    assert sum(line.startswith("=== ") for line in lines) == 3


@pytest.mark.parametrize(("changes", "named"), [
    ({"seed": 2}, "different seed"),
    ({"settings": {}}, "was not written by --minitest"),
    ({"settings": {"greedy": {}}}, "different settings"),
    ({"answers": told()["answers"][:2]}, "different prompts"),
    ({"mode": "lambada"}, "was not written by --minitest"),
    ({"answers": [{"prompt": "a"}]}, "was not written by --minitest"),
])
def test_what_does_not_compare_is_refused(written, changes, named):
    with pytest.raises(ValueError, match=named):
        read_all(written(told(), told(**changes)))


@pytest.mark.parametrize("content", ["{", "[1]", "3", '"text"', "[" * 99999])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="was not written by --minitest"):
        read_all([str(tmp_path / "a.json")])


class Page(HTMLParser):
    """The texts of <pre> elements by their class, in order, and all tags with their attributes."""

    def __init__(self, html: str):
        super().__init__()
        self.texts, self.tags, self._inside = {"prompt": [], "answer": []}, [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "pre":
            self._inside = self.texts[dict(attrs)["class"]]
            self._inside.append("")

    def handle_endtag(self, tag):
        self._inside = None if tag == "pre" else self._inside

    def handle_data(self, data):
        if self._inside is not None:
            self._inside[-1] += data


def test_a_page_holds_everything_and_runs_nothing(written):
    hostile = '</pre><script>alert("x")</script>&amp;\n\tb\x1b[2J'
    other = told(checkpoint="<img src=x>")
    other["answers"][1] = {"prompt": PROMPTS[1], "greedy": {"text": hostile},
                           "sampled": {"text": "\nfirst", "finish_reason": "length"}}
    paths = written(told(), other)
    html = page(paths, read_all(paths))
    read = Page(html)
    # A browser, unlike the parser, drops the line break after the tag.
    texts = {kind: [text.removeprefix("\n") for text in found]
             for kind, found in read.texts.items()}
    assert texts["prompt"] == list(PROMPTS)
    same = "same line\nx = 1\n"
    assert texts["answer"] == [same] * 4 + [same, hostile.replace("\x1b", "\ufffd"), same,
                                            "\nfirst"] + [same] * 4
    assert not {"script", "img", "link", "a"} & {tag for tag, _ in read.tags}
    assert not any(name in ("src", "href") for _, attrs in read.tags for name in attrs)
    for part in (*paths, "out/model_1", "&lt;img src=x&gt;", "strategy greedy_search",
                 "<td>seed</td><td>1</td>"):
        assert part in html


def test_the_page_is_written_with_the_text_beside_it(written, tmp_path, capsys):
    paths = written(told(), told(checkpoint="out/model_2"))
    run_evaluation.main(["--compare", *paths, "--output_file", str(tmp_path / "p.html")])
    assert (tmp_path / "p.html").read_text() == page(paths, read_all(paths))
    text = (tmp_path / "p.txt").read_text()
    assert text == side_by_side(paths, read_all(paths), 120) + "\n"
    assert "out/model_2" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        run_evaluation.main(["--compare", *paths, "--output_file", str(tmp_path / "n" / "p.html")])
    assert "its directory does not exist" in capsys.readouterr().err


def test_paddle_is_not_needed(command, written):
    code = ("import sys, run_evaluation\n"
            "run_evaluation.main(['--compare', sys.argv[1], sys.argv[1]])\n"
            "assert not {'paddle', 'numpy', 'torch'} & set(sys.modules), 'heavy import'")
    process = command("-c", code, *written(told()))
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("[1] ")
