"""Responses as JSON objects: one whole object, or one for each piece of a stream.

OpenAI's, and that of llama.cpp's /infill.
"""

import re
import time
import uuid

from paddle_impl.serving.job import Job, Piece

STOP_TYPES = {"eos": "eos", "stop": "word", "length": "limit"}  # llama.cpp's finish reasons


class Response:
    """One request's response.

    `whole` is for a job that is done. A stream has `openings`, then a `piece` for each Piece, then
    `closings`.
    """

    last = b"data: [DONE]\n\n"  # after the events of a stream, unless there was an error
    prefix: str  # of the id
    kind: str  # the name of the whole object
    chunk_kind: str  # the name of an object of a stream

    def __init__(self, job: Job, model: str):
        self._job, self._request = job, job.request
        self._head = {"id": f"{self.prefix}-{uuid.uuid4().hex}", "created": int(time.time()),
                      "model": model}

    def whole(self) -> dict:
        choices = [self._whole(number, choice.text, choice.finish_reason)
                   for number, choice in enumerate(self._job.choices())]
        return self._object(self.kind, choices) | {"usage": self._usage()}

    def openings(self) -> list[dict]:
        """The objects that come before the first piece."""
        count = len(self._request.prompts) * self._request.n
        return [self._chunk(one) for number in range(count) for one in self._opening(number)]

    def piece(self, piece: Piece) -> dict:
        return self._chunk(self._part(piece))

    def closings(self) -> list[dict]:
        """The objects that come after the last piece."""
        if not self._request.include_usage:
            return []
        return [self._object(self.chunk_kind, []) | {"usage": self._usage()}]

    def _chunk(self, choice: dict) -> dict:
        usage = {"usage": None} if self._request.include_usage else {}
        return self._object(self.chunk_kind, [choice]) | usage

    def _object(self, kind: str, choices: list[dict]) -> dict:
        return self._head | {"object": kind, "choices": choices}

    def _usage(self) -> dict:
        """Count the tokens: each prompt once, and all choices with their end tokens."""
        prompt = sum(map(len, self._request.prompts))
        new = sum(choice.tokens for choice in self._job.choices())
        return {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}

    def _whole(self, number: int, text: str, reason: str) -> dict:
        raise NotImplementedError

    def _opening(self, number: int) -> list[dict]:
        raise NotImplementedError

    def _part(self, piece: Piece) -> dict:
        raise NotImplementedError


class Completion(Response):
    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"

    def _whole(self, number, text, reason):
        return self._choice(number, "".join(self._echo(number)) + text, reason)

    def _opening(self, number):
        return [self._choice(number, text, None) for text in self._echo(number)]

    def _part(self, piece):
        return self._choice(piece.choice, piece.text, piece.finish_reason)

    def _echo(self, number: int) -> list[str]:
        return [] if self._request.echo is None else [self._request.echo[number // self._request.n]]

    @staticmethod
    def _choice(number: int, text: str, reason: str | None) -> dict:
        return {"index": number, "text": text, "logprobs": None, "finish_reason": reason}


class ChatCompletion(Response):
    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def _whole(self, number, text, reason):
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": number, "message": message, "logprobs": None, "finish_reason": reason}

    def _opening(self, number):
        return [self._delta(number, {"role": "assistant", "content": ""}, None)]

    def _part(self, piece):
        delta = {"content": piece.text} if piece.text else {}
        return self._delta(piece.choice, delta, piece.finish_reason)

    @staticmethod
    def _delta(number: int, delta: dict, reason: str | None) -> dict:
        return {"index": number, "delta": delta, "logprobs": None, "finish_reason": reason}


class Infill(Response):
    """The one middle of an InfillRequest, in llama.cpp's form."""

    last = b""

    def __init__(self, job: Job, model: str):
        self._job, self._request, self._model = job, job.request, model
        self._gap = job.request.gap

    def whole(self) -> dict:
        return self._ended(str(self._sequence.text))

    def openings(self) -> list[dict]:
        return []

    def piece(self, piece: Piece) -> dict:
        return {"index": 0, "content": piece.text, "stop": False}

    def closings(self) -> list[dict]:
        return [self._ended(str(self._sequence.text)) | {"content": ""}]

    @property
    def _sequence(self):
        return self._job.prompt_states[0].sequences[0]

    def _ended(self, text: str) -> dict:
        stop_type, least = STOP_TYPES[self._sequence.finish_reason], self._gap.n_indent
        less = least and re.search(rf"\n[ \t]{{0,{least - 1}}}(?=[^ \t])", text)
        if less:
            text, stop_type = text[: less.end()], "limit"
        answer = {
            "index": 0, "content": text, "stop": True, "model": self._model,
            "tokens_predicted": len(self._sequence.tokens),
            "tokens_evaluated": len(self._request.prompts[0]),
            "truncated": self._request.truncated, "stop_type": stop_type,
            "has_new_line": "\n" in text,
        }
        return {name: answer[name] for name in self._gap.response_fields or answer
                if name in answer}
