"""The continuations of prompts, shown as PaddleNLP shows them, or as JSON lines."""

import sys
from itertools import groupby

from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.options import require
from paddle_impl.config.prompts import PromptOptions
from paddle_impl.text.json_lines import line_writer
from paddle_impl.text.prompts import Prompt, chat_prompt, prompts_of


def streams(prompts: PromptOptions, output_file: str | None, decoding: DecodingOptions) -> bool:
    """Whether text is shown token by token, and so one prompt after the other."""
    if prompts.stream is not None:
        return prompts.stream
    single = decoding.decode_strategy != "beam_search" and decoding.num_return_sequences == 1
    return sys.stdout.isatty() and single and output_file != "-"


def write(
    generator, prompts: PromptOptions, output_file: str | None, decoding: DecodingOptions,
    seed: int, prog: str,
) -> None:
    """Every prompt's continuations, by a text.generator.TextGenerator. prog: see line_writer."""
    streamed = streams(prompts, output_file, decoding)
    runs = _runs(generator, prompts, decoding)
    begun = set()
    with line_writer(output_file, prog) as write_line:
        for first, own, encoded, settings in runs:

            def show(index: int, number: int, text: str, first=first, own=own) -> None:
                if first + index not in begun:
                    begun.add(first + index)
                    print(f"{header(number)}\n{before(own[index], prompts.chat)}", end="")
                print(text, end="", flush=True)

            for index, found in generator.generate(
                    encoded, settings, seed, show if streamed else None, first):
                for number, one in enumerate(found):
                    if streamed:
                        print()
                    elif output_file != "-":
                        told = before(own[index], prompts.chat)
                        print(f"{header(number)}\n{told}{one.text}", flush=True)
                    write_line(record(*own[index], one))


def _runs(generator, options: PromptOptions, decoding: DecodingOptions):
    """(number of the first, prompts, their ids, settings) of prompts that follow each other and are
    continued alike. A middle has end tokens of its own, and may be empty.
    """
    plain = decoding.settings(generator.end_tokens, generator.vocab_size)
    first, found = 0, []
    for is_gap, run in groupby(prompts_of(options), lambda one: one.suffix is not None):
        own = list(run)
        if is_gap:
            require(not options.chat, "a prompt with a \"suffix\" does not go with --chat")
            settings = generator.for_gaps(plain, decoding.min_dec_len or 0)
            ids = [generator.gap_ids(*one, settings, mode=options.fim_mode,
                                     language=options.language) for one in own]
        else:
            settings = plain
            ids = [_ids(generator, one.text, options) for one in own]
        found.append((first, own, ids, settings))
        first += len(own)
    return found


def _ids(generator, text: str, options: PromptOptions) -> list[int]:
    if not options.chat:
        return generator.ids(text, language=options.language)
    message = {"role": "user", "content": text}
    return generator.ids(chat_prompt(generator.tokenizer, [message]), special_tokens=True)


def before(prompt: Prompt, chat: bool = False) -> str:
    """What is shown before a continuation; of a gap only the middle is."""
    return prompt.text + "\n" * chat if prompt.suffix is None else ""


def header(number: int) -> str:
    """The line before the continuation of this number."""
    return f"{'*' * 10} GENERATED SEQUENCE {number} {'*' * 10}"


def record(prompt: str, suffix: str | None, one) -> dict:
    """A decoding.prompt_state.Continuation as a line of --output_file."""
    behind = {} if suffix is None else {"suffix": suffix}
    return {"prompt": prompt, **behind, "text": one.text, "token_ids": one.token_ids,
            "score": one.score, "finish_reason": one.finish_reason}
