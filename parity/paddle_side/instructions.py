"""Instruction tuning: records, encoded and batched as run_finetune.py --task sft does it."""

import tempfile
from pathlib import Path

import numpy as np

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import InstructionExamples
from data_tools.instructions.prompts import PROMPT_STYLES
from data_tools.instructions.records import Conversation, Instruction, Message
from data_tools.instructions.rows import PackedRows
from data_tools.instructions.templates import template_of
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.finetuning.batches import InstructionLoader
from paddle_impl.finetuning.response_loss import WITH_RESPONSE_LOSS
from paddle_impl.objectives import mean
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import Totals, to_tensors
from parity.cases import Case, instructions
from parity.cases import text as cases_text
from parity.cases.instructions import Setting
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.backward import gradient_trace

_GIVEN = {"prefixes": instructions.CHATML, "brackets": instructions.BRACKETS}


def learned(case: Case, dtype: str) -> Trace:
    """Inputs and targets of all examples in one batch; loss and gradients of several batches."""
    case = instructions.fitted(case)
    tokenizer, trace = _tokenizer(), {}
    for name, setting in instructions.SETTINGS.items():
        encoder, examples = _examples(tokenizer, setting)
        for number, record in enumerate(_records(setting)):
            trace[Point(0, "prompt ids", f"{name}: {number}")] = encoder.prompt(record).astype(
                np.int64)
        (batch,) = InstructionLoader(examples, len(examples), tokenizer.eos_token_id).step(0)
        trace[Point(0, "tokens", f"{name}: inputs")] = batch["input_ids"]
        trace[Point(0, "tokens", f"{name}: targets")] = batch["labels"]
        if not setting.trained:
            continue
        trace |= _trained(case, dtype, examples, name)
    return trace


def packed(case: Case, dtype: str) -> Trace:
    """Loss and gradients of rows that hold several examples."""
    case = instructions.fitted(case)
    tokenizer, trace = _tokenizer(), {}
    for name, setting in instructions.PACKED.items():
        rows = PackedRows(_examples(tokenizer, setting)[1], instructions.POSITIONS + 1)
        assert any(len(row) > 1 for row in rows.rows), rows.rows
        trace |= _trained(case, dtype, rows, name)
    return trace


def _trained(case: Case, dtype: str, examples, name: str) -> Trace:
    """The loss of a step of several micro batches with its gradients, and that of responses."""
    loader = InstructionLoader(examples, instructions.PER_PASS, cases_text.END_ID,
                               accumulation_steps=-(-len(examples) // instructions.PER_PASS))
    model, totals, loss = weights.build(case, dtype), Totals(), 0.0
    batches, objective = loader.step(0), WITH_RESPONSE_LOSS
    weight = float(sum(map(objective.weight, batches)))
    for batch in batches:
        total, metrics = objective.loss(model, to_tensors(batch))
        part = mean(total, weight)
        part.backward()
        loss += part.item()
        totals.add(metrics)
    responses = totals.means(Ranks().data)["response_loss"]
    trace: Trace = {Point(0, "loss", f"{name}: all"): np.asarray(loss, dtype),
                    Point(0, "loss", f"{name}: responses"): np.asarray(responses, dtype)}
    return trace | {point._replace(tensor=f"{name}: {point.tensor}"): value
                    for point, value in gradient_trace(model).items()}


def _examples(tokenizer: Tokenizer, setting: Setting) -> tuple[Encoder, InstructionExamples]:
    if setting.style in PROMPT_STYLES:
        encoder = Encoder(tokenizer, setting.style)
    else:
        own = _GIVEN.get(setting.style) or template_of(setting.style)
        encoder = Encoder(tokenizer, "chat", own)
    return encoder, InstructionExamples(
        _records(setting), encoder, setting.most, side=setting.side, all_tokens=setting.everything)


def _records(setting: Setting) -> list[Instruction | Conversation]:
    if setting.style in PROMPT_STYLES:
        return [Instruction(*one, f"record {number}")
                for number, one in enumerate(instructions.INSTRUCTIONS)]
    return [Conversation(
        (*([Message("system", system)] if system else []),
         *(Message(("user", "assistant")[turn % 2], text) for turn, text in enumerate(said))),
        f"record {number}") for number, (system, said) in enumerate(instructions.TALKS)]


def _tokenizer() -> Tokenizer:
    with tempfile.TemporaryDirectory() as directory:
        cases_text.write_tokenizer(Path(directory))
        return Tokenizer.load(directory).with_added_tokens(instructions.CONTROL)
