"""The --minitest answers of several checkpoints as one HTML page, which loads nothing."""

from html import escape

from paddle_impl.evaluation.comparison import printable

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem;
       padding: 0 1rem; }
pre { font: 13px/1.45 ui-monospace, monospace; margin: 0; padding: .6rem .8rem;
      overflow-wrap: anywhere; white-space: pre-wrap; tab-size: 4; }
section { border-top: 2px solid #8886; margin-top: 2rem; }
.prompt { background: #8882; }
.row { display: grid; gap: 1rem; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column; }
.row > div { border: 1px solid #8884; margin-top: .8rem; }
h3 { font-size: .85rem; font-weight: 600; margin: 0; padding: .3rem .8rem; background: #8881; }
td, th { padding: .1rem 1.2rem .1rem 0; text-align: left; vertical-align: top; }
"""


def page(paths: list[str], files: list[dict]) -> str:
    """HTML with a column for each checkpoint. paths, files: as for comparison.side_by_side."""
    columns = list(enumerate(zip(paths, files, strict=True), start=1))
    rows = [[f"[{number}]", path, told["checkpoint"]] for number, (path, told) in columns]
    settings = [[name, ", ".join(f"{key} {value}" for key, value in values.items())]
                for name, values in files[0]["settings"].items()]
    body = [_table([["", "file", "checkpoint"], *rows]),
            _table([["seed", str(files[0].get("seed"))], *settings])]
    for at, record in enumerate(files[0]["answers"]):
        body.append(f"<section>\n<h2>{at + 1}</h2>\n{_pre(record['prompt'], 'prompt')}")
        for name in files[0]["settings"]:
            cells = [_answer(f"[{number}] {name}", told["answers"][at][name])
                     for number, (_, told) in columns]
            body.append(f'<div class="row">\n{"".join(cells)}</div>')
        body.append("</section>")
    return ("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            "<meta name=\"viewport\" content=\"width=device-width\">\n"
            f"<title>Answers of {len(files)} checkpoints</title>\n<style>{_STYLE}</style>\n"
            f"</head>\n<body>\n<h1>Answers of {len(files)} checkpoints to the same prompts</h1>\n"
            + "\n".join(body) + "\n</body>\n</html>\n")


def _answer(title: str, answer: dict) -> str:
    ends = {"length": ", cut at its length", "eos": ", ended"}.get(answer.get("finish_reason"), "")
    return f"<div><h3>{_shown(title + ends)}</h3>{_pre(answer['text'], 'answer')}</div>\n"


def _pre(text: str, kind: str) -> str:
    # HTML drops a line break right after the tag.
    return f'<pre class="{kind}">\n{_shown(text)}</pre>'


def _table(rows: list[list[str]]) -> str:
    shown = ["".join(f"<td>{_shown(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in shown)}</table>"


def _shown(text: str) -> str:
    """The text as HTML: markup is escaped, and what cannot be printed is replaced."""
    return escape("\n".join("\t".join(map(printable, line.split("\t")))
                            for line in text.split("\n")))
