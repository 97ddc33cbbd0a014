"""report.html, made from the record of report.json: one file without scripts, fonts or images.

Its content security policy forbids the browser to load or run any of those. Text from the record is
escaped.
"""

from collections.abc import Sequence
from html import escape

from parity.report import figures, kinds
from parity.report import kills as kill_table
from parity.report.figures import GATES, absent, equal, section, used
from parity.report.style import CSS


def page(record: dict, kills: dict | None = None) -> str:
    """The whole page; `kills` is the kill table that the record summarises."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        f"<title>{escape(record['verdict'])}</title>\n<style>{CSS}</style>\n</head>\n<body>\n",
        _head(record), figures.budget(record), figures.layers(record), figures.gradients(record),
        figures.curves(record, "loss curve", "loss", "Loss curves"),
        figures.curves(record, "norm curve", "gradient norm", "Gradient norm"),
        _table(record), _kills(record, kills), _rest(record), "</body>\n</html>\n",
    ])


def _head(record: dict) -> str:
    word, _, rest = record["verdict"].partition(": ")
    gates = [gate for rung in record["rungs"] for gate in rung["gates"]]
    others = {kind: count for kind, count in record["kinds"].items() if kind != kinds.NUMBERS}
    tiles = [(f"{record['kinds'].get(kinds.NUMBERS, 0):,}", kinds.NUMBERS),
             (f"{len(record['results']):,}",
              f"comparisons in all{', with ' if others else ''}{kinds.told(others)}"),
             (str(len(record["rungs"])), "rungs of the ladder")]
    for letter, dtype in (("A", "float64"), ("B", "float32")):
        if held := [float(gate["worst"]) for gate in gates if gate["gate"] == letter]:
            tiles.append((used(max(held)), f"of its budget, the worst in {dtype}"))
    if counts := record["kills"]:
        tiles.append((f"{counts['killed']} of {counts['bugs']}",
                      f"planted bugs killed, on {kill_table.commits(counts)}; planted in the code "
                      f"as it is: {kill_table.currency(counts)}"))
    told = "".join(f"{escape(line)}\n" for line in record["failure"]).strip()
    return (
        f'<header class="{"good" if record["passed"] else "bad"}">'
        "<p>GPT on PaddlePaddle, held against PyTorch</p>"
        f"<h1>{'✓' if record['passed'] else '✗'} {escape(word)}</h1><p>{escape(rest)}</p>"
        + (f"<p>{escape(record['subject'])}</p>" if record["subject"] else "")
        + (f'<div class="failure">{told}</div>' if told else "")
        + '<ul class="tiles">'
        + "".join(f"<li><b>{escape(big)}</b>{escape(small)}</li>" for big, small in tiles)
        + "</ul></header>\n"
    )


def _table(record: dict) -> str:
    body = []
    for rung in record["rungs"]:
        for number, gate in enumerate(rung["gates"]):
            name = f"{escape(rung['name'])}<br><small>{escape(rung['title'])}</small>"
            name = "" if number else name
            most = "equal" if equal(gate) else used(float(gate["worst"]))
            style = "number bad" if gate["failed"] else "number"
            body.append(
                f'<tr><td class="narrow">{name}</td><td>{escape(gate["gate"])}</td>'
                f'<td class="number">{gate["compared"]:,}</td><td class="{style}">'
                f'{most}</td><td class="wide">{escape(gate["where"])}</td><td class="wide">'
                f'{escape(gate["rule"])}<br><small>{escape(gate["reason"])}</small></td></tr>')
    head = ("rung", "gate", "compared", "worst", "where", "rule and reason")
    told = f"<p>The worst is a share of its budget. {GATES}</p>"
    return section("Every rung and gate", told + _scroll("rungs", head, body))


def _kills(record: dict, kills: dict | None) -> str:
    if kills is None:
        return section("Planted bugs", absent("planted bugs", "had no table of them"))
    body, counts = [], record["kills"]
    for room, own in counts["rooms"].items():
        cells = (f"{own[a]} of {own[b]}" for a, b in (
            ("killed", "bugs"), ("by_float32", "asked"), ("let_through", "harmless")))
        body.append(f"<tr><td>{escape(room)}</td>"
                    + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    rooms = _scroll("bugs per room", ("room", "bugs killed", "seen at gate B, of those asked",
                                      "harmless let through"), body)
    cases = list(dict.fromkeys(case for m in kills["mutants"] for case in m["killed"]))
    head = ("bug", "room", *(f"first seen, {case}" for case in cases), "seen at gate B")
    table = _scroll("bugs", head, [_mutant(mutant, cases) for mutant in kills["mutants"]])
    return section(
        "Planted bugs",
        f'<p class="headline">{escape(kill_table.line(counts))}</p>'
        "<p>Each bug was planted in the running code, one at a time, and a rung must fail on it. "
        "Harmless changes were planted too, and no rung may fail on them. "
        "Gate B, float32, is asked where a rung that runs the code has one.</p>"
        f"{rooms}<details><summary>All {len(kills['mutants'])} of them</summary>"
        f"{table}</details>",
    )


def _mutant(mutant: dict, cases: Sequence[str]) -> str:
    asked = mutant["float32"] is not None
    float32 = [case for case, seen in (mutant["float32"] or {}).items() if seen]
    seen = [mutant["killed"].get(case) for case in cases]
    wrong = any([*seen, *float32]) if mutant["equivalent"] else not any(seen)
    label = (" <small>harmless</small>" if mutant["equivalent"] else "")
    label += f' <b class="bad">{"caught" if mutant["equivalent"] else "survives"}</b>' * wrong
    cells = [
        f"{escape(first['rung'])} {escape(first['gate'])}<br>"
        f"<small>{escape(first['first'])}</small>"
        if first else "-" for first in seen
    ]
    return (f'<tr><td class="wide">{escape(mutant["name"])}{label}<br><small>'
            f"{escape(mutant['where'])}</small></td><td>{escape(mutant['room'])}</td>"
            + "".join(f'<td class="wide">{cell}</td>' for cell in cells)
            + f"<td>{escape(', '.join(float32)) or ('not seen' if asked else 'not asked')}"
            "</td></tr>")


def _rest(record: dict) -> str:
    facts = record["versions"] | record["machine"]
    first, *rest = record["coverage"] or [""]
    items = "".join(f"<li>{escape(item)}</li>" for item in rest)
    return section(
        "Not on the ladder", f"<p>{escape(first)}.</p><details><summary>What holds the rest"
        f"</summary><ul>{items}</ul></details>"
    ) + section(
        "Versions", "<dl>" + "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()
        ) + "</dl>",
    )


def _scroll(name: str, head: Sequence[str], body: list[str]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return (f'<div class="scroll" role="region" aria-label="{name}" tabindex="0"><table><thead>'
            f"<tr>{cells}</tr></thead><tbody>{''.join(body)}</tbody></table></div>")
