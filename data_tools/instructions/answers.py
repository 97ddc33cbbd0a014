"""Which parts of a conversation's text are an assistant's answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from data_tools.tokenizing.chat_template import ChatTemplate

Piece = tuple[str, bool]  # a text, and whether an assistant wrote it


def answer_pieces(
    template: ChatTemplate, messages: Sequence[dict], end: str | None = None,
    control_tokens: Collection[str] = (),
) -> list[Piece]:
    """The rendered conversation in pieces; an answer comes with the end token behind it.

    Answers are what the template brackets by `{% generation %}`. In a template without brackets an
    answer is what rendering adds when its message follows those before it, but for white space
    behind a control token. end: the text of the end token. ValueError where there is no answer,
    since the model would learn nothing, and where answers cannot be told from the rest.
    """
    messages = list(messages)
    found = template.pieces(messages) if template.has_generation else _by_prefixes(
        template, messages, control_tokens)
    if end:
        found = _with_ends(found, end)
    if not any(answer for _, answer in found):
        raise ValueError("the chat template marks no answer: none of the text would be learned; "
                         "look whether its {% generation %} is around the assistant's content")
    return found


def _by_prefixes(
    template: ChatTemplate, messages: list[dict], control_tokens: Collection[str]
) -> list[Piece]:
    whole = template.render(messages, add_generation_prompt=False)
    found, place = [], 0
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        prompt = template.render(messages[:number], add_generation_prompt=True)
        answered = template.render(messages[: number + 1], add_generation_prompt=False)
        if not (answered.startswith(prompt) and whole.startswith(answered)):
            raise ValueError(
                f"messages[{number}]: the chat template does not write the conversation up to this "
                "answer as the prompt and then the answer, so the answer cannot be told from the "
                "rest: bracket the answers in the template by {% generation %}")
        told = answered[len(prompt) :].rstrip()
        stop = len(prompt) + len(told) if told.endswith((*control_tokens,)) else len(answered)
        found += [(whole[place : len(prompt)], False), (whole[len(prompt) : stop], True)]
        place = stop
    found.append((whole[place:], False))
    return [piece for piece in found if piece[0]]


def _with_ends(pieces: list[Piece], end: str) -> list[Piece]:
    """An answer without an end token takes the one that follows it: else no answer would end."""
    found: list[Piece] = []
    for text, answer in pieces:
        if found and found[-1][1] and not answer and end not in found[-1][0] \
                and text.startswith(end):
            found[-1] = (found[-1][0] + end, True)
            text = text[len(end) :]
        if text:
            found.append((text, answer))
    return found
