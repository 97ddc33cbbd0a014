"""What the reports and pages say of the kill table."""

import re
from collections import Counter
from collections.abc import Iterable

from parity.mutants import origin
from parity.mutants.tables import MUTANTS

OLDER = "; on older code or missing: "


def told(table: dict) -> dict:
    """The counts and their summary, with the number of records that are stale in each room.

    `records` counts the missing ones too, which are stale.
    """
    counted = counts(table)
    old = Counter(record.room for record in origin.stale(table))
    known = {record["name"] for record in table["mutants"]} | {m.name for m in MUTANTS}
    return {"summary": summary(counted), **counted, "records": len(known), "stale": dict(old)}


def counts(table: dict) -> dict:
    """Counts of all mutants and of each room.

    `commits` are pairs of a commit with its day and the number of records that were made on it.
    """
    mutants = table["mutants"]
    made = Counter((record.get("commit", ""), record.get("date", "")) for record in mutants)
    rooms = dict.fromkeys(record["room"] for record in mutants)
    return {
        **_counts(mutants),
        "commits": [[*place, number] for place, number in made.most_common()],
        "rooms": {room: _counts(m for m in mutants if m["room"] == room) for room in rooms},
    }


def line(told: dict) -> str:
    return f"{told['summary']}; planted in the code as it is: {currency(told)}"


def summary(counted: dict) -> str:
    return (
        f"{counted['killed']} of {counted['bugs']} bugs killed, "
        f"{counted['let_through']} of {counted['harmless']} harmless changes let through, "
        f"made on {commits(counted)}"
    )


def commits(counted: dict) -> str:
    """The commits on which the records were made, the one with most records first."""
    named = [f"{commit[:12] or 'no commit'} ({day})" for commit, day, _ in counted["commits"]]
    if len(named) == 1:
        return f"commit {named[0]}"
    return "commits " + ", ".join(
        f"{name}: {number}" for name, (*_, number) in zip(named, counted["commits"], strict=True))


def currency(told: dict) -> str:
    """How many records are of the code as it is, and in which rooms the others are."""
    old = sum(told["stale"].values())
    if not old:
        return f"all {told['records']}"
    rooms = ", ".join(f"{room} {number}" for room, number in told["stale"].items())
    return f"{told['records'] - old} of {told['records']}{OLDER}{rooms}"


def claimed_stale(currency: str) -> dict[str, int]:
    """The number of stale records in each room, of a text by `currency`."""
    _, _, rooms = currency.partition(OLDER)
    return {room: int(number) for room, number in re.findall(r"([^,]+?) (\d+)(?:, |$)", rooms)}


def failed(record: dict, gates: str) -> bool:
    """Whether a rung failed at these gates, "killed" or "float32", on any fixture."""
    return any((record[gates] or {}).values())


def _counts(mutants: Iterable[dict]) -> dict[str, int]:
    """`asked`: bugs whose rungs have a gate B. `by_float32`: those of them that gate B sees."""
    counts = dict.fromkeys(
        ("bugs", "killed", "asked", "by_float32", "harmless", "let_through"), 0)
    for mutant in mutants:
        exact, float32 = failed(mutant, "killed"), failed(mutant, "float32")
        if mutant["equivalent"]:
            counts["harmless"] += 1
            counts["let_through"] += not (exact or float32)
        else:
            counts["bugs"] += 1
            counts["killed"] += exact
            counts["asked"] += mutant["float32"] is not None
            counts["by_float32"] += float32
    return counts
