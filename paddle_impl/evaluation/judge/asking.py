"""Ask a judge each prompt, or find its reply in a file of earlier ones."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import aclosing

from tqdm import tqdm

from data_tools.endpoint import Endpoint, NoAnswer, in_order
from data_tools.line_journal import LineJournal

# A prompt, and which time it is asked: 1, or 2 to see whether the judge repeats itself.
Question = tuple[str, int]


class Replies:
    """Replies by question. texts: of those that were answered; errors: why others were not.

    asked: how many of them this run has sent to the server.
    """

    def __init__(self) -> None:
        self.texts: dict[Question, str] = {}
        self.errors: dict[Question, str] = {}
        self.asked = 0


async def ask(endpoint: Endpoint, questions: Iterable[Question], cache: str, *, seed: int,
              concurrency: int) -> Replies:
    """Ask what the file `cache` has no reply to, in the order of the questions.

    Each reply is appended to the file as soon as those before it are there. A question is known by
    the model's name, the prompt, the seed and the time; the server's address does not count.
    ValueError where no question could be answered; replies until then are in the file.
    """
    replies, missing = Replies(), []
    with LineJournal(cache) as journal:
        known = {record.get("key"): record.get("reply") for record in journal.records}
        for question in dict.fromkeys(questions):
            reply = known.get(_key(endpoint.model, question, seed))
            if isinstance(reply, str):
                replies.texts[question] = reply
            else:
                missing.append(question)
        replies.asked = len(missing)

        async def one(question: Question) -> tuple[Question, str | NoAnswer]:
            try:
                answer = await endpoint.chat(question[0], temperature=0, seed=seed)
                return question, answer.text
            except NoAnswer as error:
                return question, error

        with tqdm(total=len(missing), desc="judging", leave=False, disable=None) as bar:
            async with aclosing(in_order(missing, one, concurrency)) as found:
                async for question, reply in found:
                    bar.update()
                    if isinstance(reply, NoAnswer):
                        replies.errors[question] = str(reply)
                        continue
                    replies.texts[question] = reply
                    journal.append({"key": _key(endpoint.model, question, seed),
                                    "model": endpoint.model, "time": question[1], "reply": reply})
    return replies


def _key(model: str, question: Question, seed: int) -> str:
    asked = json.dumps([model, seed, *question])
    return hashlib.sha256(asked.encode()).hexdigest()
