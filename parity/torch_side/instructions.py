"""Instruction tuning by rasbt's collate function and transformers' chat templates.

Sources: "LLMs from scratch", chapter 7 (custom_collate_fn, with the masked instructions of its
exercise 7.2), https://github.com/rasbt/LLMs-from-scratch; `apply_chat_template` of transformers.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import GPT2Tokenizer

from parity.cases import Case, instructions
from parity.cases import text as cases_text
from parity.cases.instructions import Setting
from parity.compare import Point, Trace
from parity.torch_side import weights
from parity.torch_side.backward import gradient_trace

_HEADERS = {"alpaca": "\n\n### Response:\n", "phi3": "\n<|assistant|>:\n"}


def learned(case: Case, dtype: str) -> Trace:
    """Inputs and targets of all examples in one batch, their loss, and its gradients."""
    case = instructions.fitted(case)
    tokenizer, trace = _tokenizer(), {}
    for name, setting in instructions.SETTINGS.items():
        prompts, examples = _examples(tokenizer, setting)
        for number, ids in enumerate(prompts):
            trace[Point(0, "prompt ids", f"{name}: {number}")] = np.array(ids, np.int64)
        inputs, targets, responses = (torch.tensor(part) for part in _collated(examples, setting))
        trace[Point(0, "tokens", f"{name}: inputs")] = inputs.numpy()
        trace[Point(0, "tokens", f"{name}: targets")] = targets.numpy()
        if not setting.trained:
            continue
        model = weights.build(case, dtype)
        logits = model(inputs, use_cache=False).logits.transpose(1, 2)
        loss = F.cross_entropy(logits, targets, ignore_index=-100)
        loss.backward()
        of_responses = F.cross_entropy(logits.detach(), responses, ignore_index=-100)
        trace |= {Point(0, "loss", f"{name}: all"): loss.detach().numpy(),
                  Point(0, "loss", f"{name}: responses"): of_responses.numpy()}
        trace |= {point._replace(tensor=f"{name}: {point.tensor}"): value
                  for point, value in gradient_trace(model).items()}
    return trace


def packed(case: Case, dtype: str) -> Trace:
    """The same loss and gradients from each example alone."""
    case = instructions.fitted(case)
    tokenizer, trace = _tokenizer(), {}
    for name, setting in instructions.PACKED.items():
        model, total, count = weights.build(case, dtype), 0.0, 0
        of_responses, responded = 0.0, 0
        _, examples = _examples(tokenizer, setting)
        for example in examples:
            inputs, targets, responses = (
                torch.tensor(part) for part in _collated([example], setting))
            logits = model(inputs, use_cache=False).logits.transpose(1, 2)
            total = total + F.cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
            count += int((targets != -100).sum())
            of_responses += F.cross_entropy(logits.detach(), responses, ignore_index=-100,
                                            reduction="sum")
            responded += int((responses != -100).sum())
        (total / count).backward()
        trace |= {Point(0, "loss", f"{name}: all"): (total / count).detach().numpy(),
                  Point(0, "loss", f"{name}: responses"): (of_responses / responded).numpy()}
        trace |= {point._replace(tensor=f"{name}: {point.tensor}"): value
                  for point, value in gradient_trace(model).items()}
    return trace


def _examples(tokenizer, setting: Setting):
    """Prompts for generation; and ids, which of them are of a response, where the answer begins."""
    if setting.style in _HEADERS:
        return zip(*(_instruction(tokenizer, setting.style, *one)
                     for one in instructions.INSTRUCTIONS), strict=True)
    make = _llama2 if setting.style == "llama2" else _by_template
    return zip(*(make(tokenizer, setting, *one) for one in instructions.TALKS), strict=True)


def _instruction(tokenizer, style: str, instruction: str, input: str, output: str):
    if style == "alpaca":
        asked = ("Below is an instruction that describes a task. Write a response that "
                 f"appropriately completes the request.\n\n### Instruction:\n{instruction}")
        asked += f"\n\n### Input:\n{input}" if input else ""
    else:
        asked = f"<|user|>\n{instruction}" + (f"\n{input}" if input else "")
    prompt = _plain(tokenizer, asked + _HEADERS[style])
    ids = [*prompt, *_plain(tokenizer, output), tokenizer.eos_token_id]
    mask = [place >= len(_plain(tokenizer, asked)) for place in range(len(ids))]
    return prompt, (ids, mask, len(prompt))


def _llama2(tokenizer, setting: Setting, system: str, said: list[str]):
    begin, end = (tokenizer.convert_tokens_to_ids(token) for token in instructions.CONTROL[:2])
    eos = tokenizer.eos_token_id
    ids, mask, answer, prompt = [], [], 0, []
    for turn in range(0, len(said), 2):
        told = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system and turn == 0 else ""
        asked = [eos, begin, *_plain(tokenizer, told + said[turn]), end]
        prompt = ids + asked
        ids, mask = prompt, mask + [False] * len(asked)
        if turn + 1 < len(said):
            answered = [*_plain(tokenizer, said[turn + 1]), eos]
            answer, ids, mask = len(ids), ids + answered, mask + [True] * len(answered)
    return prompt, (ids, mask, answer)


def _by_template(tokenizer, setting: Setting, system: str, said: list[str]):
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": ("user", "assistant")[turn % 2], "content": text}
                 for turn, text in enumerate(said)]
    template = instructions.BRACKETS if setting.style == "brackets" else _CHATML
    found = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=True,
                                          return_dict=True, return_assistant_tokens_mask=True)
    ids, mask = found["input_ids"], [bool(one) for one in found["assistant_masks"]]
    if setting.style == "brackets":  # the end token is learned too
        mask = [own or (place > 0 and mask[place - 1] and ids[place] == tokenizer.eos_token_id)
                for place, own in enumerate(mask)]
    last = max(place for place, own in enumerate(mask) if own)
    begin = max(place for place in range(last) if not mask[place]) + 1
    if messages[-1]["role"] == "assistant":
        del messages[-1]
    prompt = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=True,
                                           add_generation_prompt=True)["input_ids"]
    return prompt, (ids, mask, begin)


_CHATML = """{%- for m in messages -%}
<|im_start|>{{ m.role + '\n' }}
{%- if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}
{%- else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""


def _collated(examples, setting: Setting) -> tuple[list, list, list]:
    """Inputs, targets and the targets of responses: (rows, longest) each."""
    pad = cases_text.END_ID
    cut = [_cut(*example, setting) for example in examples]
    longest = max(len(ids) for ids, _ in cut)
    inputs, targets, responses = [], [], []
    for ids, mask in cut:
        padded = ids + [pad] * (longest - len(ids))
        inputs.append((ids[:-1] + [pad] * longest)[: longest - 1])  # the last one is a label only
        own = [token if place < len(ids) else -100 for place, token in enumerate(padded)][1:]
        told = [token if place + 1 < len(ids) and mask[place + 1] else -100
                for place, token in enumerate(own)]
        targets.append(own if setting.everything else told)
        responses.append(told)
    return inputs, targets, responses


def _cut(ids: list[int], mask: list[bool], begin: int, setting: Setting):
    """At most `most` inputs, and with them one target more."""
    if setting.side == "prompt" and (over := len(ids) - setting.most - 1) > 0:
        over = min(over, begin)
        ids, mask = ids[over:], mask[over:]
    return ids[: setting.most + 1], mask[: setting.most + 1]


def _plain(tokenizer, text: str) -> list[int]:
    """Ids of a text whose control tokens are only text."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def _tokenizer() -> GPT2Tokenizer:
    with tempfile.TemporaryDirectory() as directory:
        cases_text.write_tokenizer(Path(directory))
        tokenizer = GPT2Tokenizer.from_pretrained(directory)
    tokenizer.add_tokens(list(instructions.CONTROL), special_tokens=True)
    return tokenizer
