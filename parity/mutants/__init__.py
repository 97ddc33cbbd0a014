"""Bugs planted on purpose, to check that the ladder finds them: `python -m parity mutants`.

A mutant replaces a piece of the running code while rungs are run. The results of the last run, the
kill table, are in kill_table.json beside this file, for the reports.
"""

import json
from pathlib import Path

KILL_TABLE = Path(__file__).with_name("kill_table.json")


def load_table() -> dict | None:
    """The committed kill table, or None where there is none."""
    if not KILL_TABLE.is_file():
        return None
    return json.loads(KILL_TABLE.read_text(encoding="utf-8"))
