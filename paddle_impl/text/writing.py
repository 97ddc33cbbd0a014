"""The continuations of prompts, shown as PaddleNLP shows them, or as JSON lines."""

import sys

from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.prompts import PromptOptions
from paddle_impl.text.json_lines import line_writer
from paddle_impl.text.prompts import DEFAULT_PROMPTS, read_prompts


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
    settings = decoding.settings(generator.end_tokens, generator.vocab_size)
    streamed = streams(prompts, output_file, decoding)
    texts = list(prompts.prompt or DEFAULT_PROMPTS)
    if prompts.prompt_file is not None:
        texts = read_prompts(prompts.prompt_file)
    encoded = [generator.ids(text) for text in texts]
    begun = set()

    def show(index: int, number: int, text: str) -> None:
        if index not in begun:
            begun.add(index)
            print(f"{header(number)}\n{texts[index]}", end="")
        print(text, end="", flush=True)

    with line_writer(output_file, prog) as write_line:
        for index, found in generator.generate(encoded, settings, seed, show if streamed else None):
            for number, one in enumerate(found):
                if streamed:
                    print()
                elif output_file != "-":
                    print(f"{header(number)}\n{texts[index]}{one.text}", flush=True)
                write_line(record(texts[index], one))


def header(number: int) -> str:
    """The line before the continuation of this number."""
    return f"{'*' * 10} GENERATED SEQUENCE {number} {'*' * 10}"


def record(prompt: str, one) -> dict:
    """A decoding.prompt_state.Continuation as a line of --output_file."""
    return {"prompt": prompt, "text": one.text, "token_ids": one.token_ids, "score": one.score,
            "finish_reason": one.finish_reason}
