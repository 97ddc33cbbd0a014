"""How much a full stop at the end of a prompt changes what a tuned model answers.

    .venv/bin/python scripts/bench/punctuation.py CHECKPOINT --data INSTRUCTIONS.json
        --output_dir DIR [--split 85,10,5] [--prompt_style alpaca] [--max_dec_len 64]

Each record of the test part is measured three times: as it is written, without the mark at the end
of what was asked, and with a full stop there. It prints a Markdown table of the loss of the
responses and of greedy answers, and writes punctuation.md, punctuation.json, and the answers, which
`run_evaluation.py --judge URL --responses FILE` scores.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from data_common import ROOT, Part, machine, say

sys.path.insert(0, str(ROOT))
from paddle_impl.process import runtime  # noqa: E402

MARKS = ".!?:;,"
VARIANTS = {
    "as written": lambda text: text,
    "no mark": lambda text: text.rstrip(MARKS + " "),
    "full stop": lambda text: text.rstrip(MARKS + " ") + ".",
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--split", default="85,10,5")
    parser.add_argument("--prompt_style", default="alpaca")
    parser.add_argument("--max_dec_len", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(argv)
    runtime.import_paddle(options.device)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    part = _measured(options)
    (options.output_dir / "punctuation.json").write_text(json.dumps(part.figures, indent=1))
    (options.output_dir / "punctuation.md").write_text(part.markdown())
    print(part.markdown())


def changed(record, mark):
    """The record with other marks at the end of what is asked: of its input, if it has one."""
    name = "input" if record.input else "instruction"
    return replace(record, **{name: mark(getattr(record, name))})


def _measured(options: argparse.Namespace) -> Part:
    from data_tools.instructions.encoding import Encoder
    from data_tools.instructions.examples import InstructionExamples, in_file_order
    from data_tools.instructions.records import Instruction, read_instructions
    from paddle_impl.config.decoding import DecodingOptions
    from paddle_impl.config.options import split_shares
    from paddle_impl.finetuning.batches import InstructionLoader
    from paddle_impl.finetuning.response_loss import WITH_RESPONSE_LOSS
    from paddle_impl.finetuning.responses import Responder, write
    from paddle_impl.parallel.ranks import Ranks
    from paddle_impl.text.generator import TextGenerator
    from paddle_impl.training.measuring import measure

    opened = TextGenerator.load(str(options.checkpoint))
    encoder, ranks = Encoder(opened.tokenizer, options.prompt_style), Ranks()
    _, test, _ = in_file_order(read_instructions(options.data), split_shares(options.split))
    test = [one for one in test if isinstance(one, Instruction) and one.problem is None]
    decoding = DecodingOptions(decode_strategy="greedy_search", max_dec_len=options.max_dec_len)
    responder = Responder(encoder, decoding, 0, ranks)
    figures, plain = {}, []
    for name, mark in VARIANTS.items():
        say(f"{name} ...")
        records = [changed(one, mark) for one in test]
        examples = InstructionExamples(records, encoder, opened.model.config.n_positions,
                                       side="prompt", all_tokens=False)
        loader = InstructionLoader(examples, 8, opened.tokenizer.eos_token_id)
        loss = measure(opened.model, WITH_RESPONSE_LOSS, loader.first(len(examples)), ranks)["loss"]
        answers = [text for _, text in responder.answer(opened.model, records, 0)]
        plain = plain or answers
        write(options.output_dir / f"responses_{name.replace(' ', '_')}.json", records, answers)
        figures[name] = {
            "records": len(records), "changed": sum(map(lambda a, b: a != b, records, test)),
            "response_loss": loss,
            "as_the_reference": sum(one.output.strip() == text
                                    for one, text in zip(records, answers, strict=True)),
            "other_answers": sum(map(lambda a, b: a != b, answers, plain))}
    rows = [[name, str(one["changed"]), f"{one['response_loss']:.4f}",
             f"{one['as_the_reference']} of {one['records']}",
             f"{one['other_answers']} of {one['records']}"] for name, one in figures.items()]
    return Part("Prompts with and without a mark at their end",
                [f"{machine()}; greedy answers of at most {options.max_dec_len} tokens."],
                ["prompt", "prompts that differ", "response loss", "answers as the reference",
                 "answers that differ"], rows, figures)


if __name__ == "__main__":
    main()
