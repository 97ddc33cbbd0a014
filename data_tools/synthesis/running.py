"""One run of synthesize: answers in the order of their numbers, and files that survive a stop."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_tools.endpoint import Endpoint, NoAnswer, in_order
from data_tools.files import whole_file
from data_tools.line_journal import LineJournal, json_line
from data_tools.preparing.report import say
from data_tools.synthesis.lines import NO_ANSWER, Dropped, Maker
from data_tools.synthesis.magpie import MagpieMaker
from data_tools.synthesis.options import SynthesisConfig
from data_tools.synthesis.preference import PreferenceMaker

# Flags that decide on the records, whatever the kind; the others may change when a run goes on.
_DECIDE = ("kind", "model", "seed", "temperature", "max_tokens", "pre_query", "stop",
           "whole_instruction", "min_chars")
_IN_A_ROW = 20  # requests without an answer that end the run: the server is gone


def synthesize(config: SynthesisConfig) -> None:
    """Make the records and write the output file whole; ValueError where there are none."""
    output = Path(config.output_file)
    if output.exists() and not config.overwrite:
        raise ValueError(f"{output} is there already: name another, or pass --overwrite")
    for path in (output, Path(config.summary_json or output)):
        if not path.absolute().parent.is_dir():
            raise ValueError(f"{path}: its folder does not exist; make it with mkdir -p")
    endpoint = Endpoint(config.endpoint, config.model, key_variable=config.api_key_variable,
                        timeout=config.timeout, retries=config.retries)
    makers = {"preference": PreferenceMaker, "magpie": MagpieMaker}
    maker = makers[config.kind](config, endpoint)
    with LineJournal(config.partial_file) as journal:
        lines = _lines_before(journal, config, maker)
        if lines:
            say(f"continuing behind {len(lines):,} lines of {journal.path}")
        asyncio.run(_fill(config, endpoint, maker, journal, lines))
        summary = _summary(config, lines)
        if not summary["records"]:
            raise ValueError(f"no record came of it; dropped: {_counts(summary)}. Remove "
                             f"{journal.path} to ask again")
        _write(output, [line["record"] for line in lines if "record" in line])
        if config.summary_json:
            Path(config.summary_json).write_text(json.dumps(summary) + "\n", encoding="utf-8")
        os.unlink(journal.path)
    if summary["dropped"]:
        say(f"dropped: {_counts(summary)}")
    for told, times in summary["no_answer"].items():
        say(f"{NO_ANSWER}: {told} ({times} times)")
    say(f"wrote {summary['records']:,} of {maker.total:,} records to {output}")


def _lines_before(journal: LineJournal, config: SynthesisConfig, maker: Maker) -> list[dict]:
    """The lines of a stopped run, whose first line has its settings; ValueError for another's."""
    flags = config.flat()
    settings = json.loads(json.dumps({name: flags[name] for name in _DECIDE} | maker.settings))
    if not journal.records:
        journal.append({"settings": settings})
    before, *lines = journal.records
    if before.get("settings") != settings:
        was = before.get("settings") or {}
        other = [name for name in settings if was.get(name) != settings[name]]
        raise ValueError(f"{journal.path} is of a run with other settings ({', '.join(other)}): "
                         "give those of that run, or remove the file to begin anew")
    return [_settled(line, maker) for line in lines]


async def _fill(config: SynthesisConfig, endpoint: Endpoint, maker: Maker, journal: LineJournal,
                lines: list[dict]) -> None:
    """Make what is left, and append it to the journal and to `lines`.

    Lines without an answer wait until one with an answer follows. ValueError after 20 of them,
    which are then not in the journal: the same command asks for them again.
    """
    waiting: list[dict] = []

    async def one(number: int) -> dict:
        try:
            return {"record": await maker.make(number)}
        except Dropped as dropped:
            return dropped.line()
        except NoAnswer as error:
            return Dropped(NO_ANSWER, str(error)).line()

    def keep() -> None:
        for line in waiting:
            journal.append(line)
            lines.append(line)
        waiting.clear()

    kept = sum("record" in line for line in lines)
    bar = tqdm(total=maker.total, initial=kept, desc=config.kind, unit="record", leave=False,
               disable=None)
    async with endpoint:
        with bar:
            while numbers := maker.left([*lines, *waiting]):
                async with aclosing(in_order(numbers, one, config.concurrency)) as made:
                    async for line in made:
                        waiting.append(_settled(line, maker))
                        bar.update("record" in waiting[-1])
                        if line.get("dropped") != NO_ANSWER:
                            keep()
                        elif len(waiting) == _IN_A_ROW:
                            raise ValueError(
                                f"{_IN_A_ROW} requests in a row have no answer, the last one: "
                                f"{line['told']}. The same command goes on behind the others")
            keep()


def _settled(line: dict, maker: Maker) -> dict:
    try:
        if "record" in line:
            maker.settle(line["record"])
        return line
    except Dropped as dropped:
        return dropped.line()


def _summary(config: SynthesisConfig, lines: list[dict]) -> dict[str, Any]:
    return {
        "kind": config.kind, "model": config.model, "seed": config.seed,
        "records": sum("record" in line for line in lines),
        "dropped": dict(Counter(line["dropped"] for line in lines if "dropped" in line)),
        "no_answer": dict(Counter(line["told"] for line in lines if "told" in line).most_common(5)),
    }


def _counts(summary: dict[str, Any]) -> str:
    return ", ".join(f"{why} {count:,}" for why, count in summary["dropped"].items()) or "nothing"


def _write(output: Path, records: list[dict]) -> None:
    with whole_file(output) as file:
        if output.suffix == ".json":
            text = json.dumps(records, indent=4, ensure_ascii=False)
            file.write(text.encode(errors="backslashreplace") + b"\n")
            return
        for record in records:
            file.write(json_line(record))
