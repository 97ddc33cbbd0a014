"""Records with responses, and the text that a judge is asked of each."""

from typing import NamedTuple

from data_tools.instructions.prompts import instruction_text
from data_tools.instructions.reading import read_rows
from data_tools.instructions.records import Instruction, example_of
from data_tools.json_fields import shown

# Of "LLMs from scratch" (ollama_evaluate.py), to the letter.
_PROMPT = ("Given the input `{prompt}` and correct output `{output}`, score the model response "
           "`{response}` on a scale from 0 to 100, where 100 is the best score. Respond with the "
           "integer number only.")


class Judged(NamedTuple):
    """One response. place: of its record in the file, as "record 3". prompt: None for an empty
    response.
    """

    place: str
    prompt: str | None


def read_responses(path: str, fields: list[str] | None) -> dict[str, list[Judged]]:
    """The responses of each field that holds some, in the order of the file.

    fields: None for those of the first record with "response" in their names. ValueError, which
    names the record and the field, for what is no record with instruction, output and responses.
    """
    found: dict[str, list[Judged]] = {}
    for place, row in read_rows(path):
        fields = fields or _fields_of(row, place)
        example = example_of(place, row)
        if not isinstance(example, Instruction):
            raise ValueError(f"{place}: expected the fields instruction and output, got a "
                             "conversation")
        for field in fields:
            if not isinstance(row.get(field), str):
                told = shown(row[field]) if field in row else "missing"
                raise ValueError(f"{place}: {field} is {told}, expected a text: the response")
            judged = Judged(place.removeprefix(f"{path}, "), _prompt(example, row[field]))
            found.setdefault(field, []).append(judged)
    return found


def _fields_of(row: dict, place: str) -> list[str]:
    named = [name for name in row if "response" in name.lower()]
    if not named:
        raise ValueError(f"{place}: no field has response in its name, there are "
                         f"{', '.join(map(shown, row)) or 'none'}: name the field of the responses "
                         "with --response_field")
    return named


def _prompt(example: Instruction, response: str) -> str | None:
    if not response.strip():
        return None
    return _PROMPT.format(
        prompt=instruction_text("alpaca", example.instruction, example.input),
        output=example.output, response=response)
