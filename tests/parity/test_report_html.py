"""report.html: the verdict comes first, pictures show their data, text is escaped, and no other
file is loaded.
"""

import json
import math
import re
from html.parser import HTMLParser

import pytest

from parity import report, tolerances
from parity.compare import Place, Point, Result
from parity.ladder import Rung
from parity.report import kinds
from parity.report.pictures import Bar, Line, bars, lines, nice_ticks

TITLES = {"hidden": "output of every layer", "gradients": "gradient of every parameter",
          "training": "20 steps", "schedule": "learning rate of every step"}
PICTURES = {"budget", "layers-0", "gradients", "loss-0", "loss-0-apart", "gradient-norm-0",
            "gradient-norm-0-apart"}
SEEN = {"rung": "hidden", "gate": "A", "first": "hidden: step 0, hidden, h.0.mlp"}


def one(rung, gate, phase, tensor="t", step=0, case="std_0.2", used=0.25, **more):
    numbers = {"expected": 2.0, "got": 2.0 + 2e-7, "reference": 2.0 - 1e-7, "paddle_error": 1.2,
               "torch_error": 1.0} | more
    return Result(Place(rung, case, gate), Point(step, phase, tensor), used, **numbers)


def climbed(*more: Result) -> list[tuple[Rung, list[Result]]]:
    """Every rung that has a picture, at gates A and B, and one that has none."""
    layers = [f"transformer.{name}" for name in ("drop", "h.0.attn", "h.0.mlp", "h.0", "ln_f")]
    results = [one("hidden", gate, "hidden", layer) for gate in "AB" for layer in layers]
    results += [one("gradients", gate, "gradient", layer) for gate in "AB" for layer in layers]
    results += [one("training", gate, f"{noun} curve", noun, step)
                for gate in "AB" for step in range(1, 6) for noun in ("loss", "norm")]
    results += [one("schedule", "A", "learning rate"), *more]
    names = dict.fromkeys(result.place.rung for result in results)
    return [(Rung(name, TITLES.get(name, name), ""),
             [result for result in results if result.place.rung == name]) for name in names]


def mutant(name, room="model", equivalent=False, exact=None, float32=None,
           asked=True) -> dict:
    return {"name": name, "room": room, "where": "MLP.forward", "equivalent": equivalent,
            "killed": {"std_0.02": exact, "std_0.2": None},
            "float32": {"std_0.02": None, "std_0.2": float32} if asked else None,
            "commit": "0123456789abcdef", "date": "2026-01-02", "code": ""}


def table(*mutants: dict) -> dict:
    return {"seconds": 9.0, "versions": {}, "mutants": list(mutants)}


KILLS = table(mutant("erf GELU", exact=SEEN), mutant("no clip", "training", exact=SEEN,
              float32=SEEN), mutant("no warm-up", "training", exact=SEEN, asked=False),
              mutant("mask -1e4", equivalent=True))


class Reader(HTMLParser):
    """Collects tags with their attributes, the text outside of the style sheet, and SVGs."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] != "style":
            self.words.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def pictures(self) -> list[str]:
        return [own["id"] for tag, own in self.tags if tag == "svg" and "role" in own]


def written(path, rungs, kills=None) -> str:
    report.write(path, rungs, ["beam <search>"], 12.3, kills)
    return (path / "report.html").read_text(encoding="utf-8")


def test_all_is_well_is_said_first_and_every_picture_is_there(tmp_path):
    text = written(tmp_path, climbed(), KILLS)
    page = Reader(text)
    assert page.text().startswith("PARITY: 41 comparisons in 12 s")
    assert "✓ PARITY" in page.text() and 'class="failure"' not in text
    assert set(page.pictures()) == PICTURES
    assert "No picture of" not in page.text()
    assert "beam <search>" in page.text()


def test_a_picture_can_be_read_aloud(tmp_path):
    text = written(tmp_path, climbed())
    titles = re.findall(r'<svg id="([^"]+)" role="img" aria-labelledby="([^"]+)"[^>]*>'
                        r'<title id="([^"]+)">[^<]+</title>', text)
    assert {name for name, _, _ in titles} == PICTURES
    assert all(label == title == f"{name}-title" for name, label, title in titles)


def test_one_bar_for_each_rung_and_gate(tmp_path):
    text = written(tmp_path, climbed())
    assert text.count('<rect class="bar"') == 7
    assert re.findall(r'text class="name"[^>]*>([^<]+)<', text) == list(TITLES)


def test_a_failure_stands_on_top_and_its_bar_is_cut(tmp_path):
    text = written(tmp_path, climbed(one("hidden", "B", "hidden", "transformer.last", used=123.0)))
    assert text.index("FIRST DIVERGENCE  hidden: step 0, hidden, transformer.last") < text.index(
        "<svg")
    assert text.index("last good tensor  hidden: step 0, hidden, transformer.ln_f") < text.index(
        "<svg")
    assert "✗ NO PARITY" in text
    failed = re.findall(r'<g class="fail">.*?</g>', text)
    assert len(failed) == 1 and 'width="100.00%"' in failed[0] and "1.2e+02×" in failed[0]


def test_what_has_no_number_is_counted_and_not_drawn(tmp_path):
    nan = Result(Place("hidden", "std_0.2", "B"), Point(0, "hidden", "transformer.bad"), math.inf,
                 note="the Paddle side has a non-finite value at index [0]")
    page = Reader(written(tmp_path, climbed(nan)))
    assert "Not drawn, because they have no number: 1." in page.text()
    assert "the Paddle side has a non-finite value" in page.text()
    assert not any("nan" in str(own) for tag, own in page.tags if tag != "span")
    record = json.loads((tmp_path / "report.json").read_text())
    assert [gate["worst"] for gate in record["rungs"][0]["gates"]] == [0.25, "inf"]


def test_a_picture_without_data_is_a_line_that_says_so(tmp_path):
    page = Reader(written(tmp_path, climbed()[-1:]))
    assert page.pictures() == ["budget"]
    for what in ("error per layer", "error of the gradients", "loss curves", "gradient norm",
                 "planted bugs"):
        assert f"No picture of {what}: this run" in page.text()


def test_nothing_at_all_is_no_parity(tmp_path):
    page = Reader(written(tmp_path, []))
    assert "✗ NO PARITY" in page.text() and page.pictures() == []


def test_names_are_shown_and_never_obeyed(tmp_path):
    evil = '<script>alert("1")</script><img src=x onerror=alert(2)>'
    more = [one("hidden", "B", "hidden", evil, case=evil), one(evil, "A", "hidden", evil),
            Result(Place(evil, evil, "B"), Point(0, evil, evil), math.inf, note=evil)]
    kills = table(mutant(evil, evil, exact=SEEN | {"first": evil}))
    text = written(tmp_path, climbed(*more), kills)
    page = Reader(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "object"}
    assert not any(name.startswith("on") for _, own in page.tags for name in own)
    assert "&lt;script&gt;alert(&quot;1&quot;)" in text


def test_nothing_is_loaded(tmp_path):
    text = written(tmp_path, climbed(), KILLS)
    assert not any({"src", "href", "xlink:href"} & own.keys() for _, own in Reader(text).tags)
    assert not re.search(r"https?:|url\(|@import", text)
    assert "default-src 'none'" in text


def test_killed_bugs_are_counted_in_all_three_reports(tmp_path):
    page = Reader(written(tmp_path, climbed(), KILLS))
    summary = ("3 of 3 bugs killed, 1 of 1 harmless changes let through, made on commit "
               "0123456789ab (2026-01-02)")
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["kills"]["summary"] == summary
    assert record["kills"]["by_float32"] == 1
    assert record["kills"]["rooms"]["model"] == {
        "bugs": 1, "killed": 1, "asked": 1, "by_float32": 0, "harmless": 1, "let_through": 1}
    assert record["kills"]["rooms"]["training"]["asked"] == 1
    assert summary in page.text() and summary in (tmp_path / "report.md").read_text()
    assert "All 4 of them" in page.text() and "survives" not in page.text()


def test_the_tile_names_the_commit_its_day_and_what_is_of_this_code(tmp_path):
    page = Reader(written(tmp_path, climbed(), KILLS))
    assert ("3 of 3 planted bugs killed, on commit 0123456789ab (2026-01-02); planted in the code "
            "as it is: 0 of ") in page.text()
    assert "; on older code or missing: " in page.text()
    several = table(mutant("a", exact=SEEN), mutant("b", exact=SEEN),
                    mutant("c", exact=SEEN) | {"commit": "fedcba9876543210"})
    page = Reader(written(tmp_path, climbed(), several))
    assert "commits 0123456789ab (2026-01-02): 2, fedcba987654 (2026-01-02): 1" in page.text()


def test_a_gate_that_was_not_asked_is_not_called_blind(tmp_path):
    text = written(tmp_path, climbed(), KILLS)
    rows = {name: re.search(rf'{name}<br>.*?</tr>', text)[0] for name in
            ("erf GELU", "no clip", "no warm-up")}
    assert rows["erf GELU"].endswith("<td>not seen</td></tr>")
    assert rows["no clip"].endswith("<td>std_0.2</td></tr>")
    assert rows["no warm-up"].endswith("<td>not asked</td></tr>")
    assert "training</td><td>2 of 2</td><td>1 of 1</td>" in text


def test_comparisons_are_counted_by_kind(tmp_path):
    more = [one("files", "D", "state dict"), one("inputs", "D", "refusal"),
            one("draws", "Z", "keep rate"), one("resume", "A", "resumed")]
    page = Reader(written(tmp_path, climbed(*more)))
    assert "40 numbers of Paddle against PyTorch's" in page.text()
    rest = ("2 text, data order, schedule and files; 1 refusals; 1 statistics of random draws; "
            "1 Paddle against itself")
    assert f"45 comparisons in all, with {rest}" in page.text()
    assert f"40 numbers of Paddle against PyTorch's; {rest}." in (
        tmp_path / "report.md").read_text()


def test_every_phase_has_one_kind():
    phases = [phase for own in kinds.PHASES.values() for phase in own]
    assert sorted(phases) == sorted({phase for _, phase in tolerances._ROWS})


def test_a_survivor_and_a_false_alarm_are_named(tmp_path):
    # Seen in float32 only: not killed, as the exact gates are those that must see it.
    kills = table(mutant("lives", float32=SEEN), mutant("hurt", equivalent=True, float32=SEEN))
    page = Reader(written(tmp_path, climbed(), kills))
    assert "0 of 1 bugs killed, 0 of 1 harmless changes let through" in page.text()
    assert "lives survives" in page.text() and "hurt harmless caught" in page.text()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.1, 0.2), (5.2, 5.6), (2.0, 2.0), (0, 0),
                                           (1e-9, 3e-9), (-1e30, 2e31)])
def test_ticks_are_few_and_hold_all_the_data(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1] and 3 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))


def test_a_curve_is_where_its_numbers_are_and_has_gaps():
    points = [(0, 0.0), (1, 5.0), (2, math.nan), (3, 10.0), (4, 10.0)]
    text = lines("i", "t", [Line("a", "paddle", points)])
    drawn = re.findall(r'points="([^"]+)"', text)
    assert drawn == ["0.000,100.000 25.000,50.000", "75.000,0.000 100.000,0.000"]
    assert text.count("<circle") == 4


def test_the_axis_of_the_bars_is_logarithmic():
    rows = [Bar("r", "A", used, used <= 1, "", "") for used in (0.0, 1e-6, 1e-3, 1.0, 11.0)]
    widths = re.findall(r'class="bar" x="0" [^>]*width="([0-9.]+)%"', bars("i", "t", rows))
    assert "share of the budget, logarithmic axis" in bars("i", "t", rows)
    assert [float(width) for width in widths] == pytest.approx([0.6, 0.6, 42.86, 85.71, 100.0])
