"""Classifiers: transformers' own on padded rows; each text alone through its layers otherwise."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import GPT2ForSequenceClassification

from parity.cases import Case, classes
from parity.cases.classes import Variant
from parity.compare import Point, Trace
from parity.torch_side import weights


def passes(case: Case, dtype: str) -> Trace:
    """Logits of padded rows; loss and gradients of steps; measures of all texts."""
    case = case.without_dropout()
    trace = _padded(case, dtype)
    for name, variant in classes.VARIANTS.items():
        for index in classes.STEPS:
            loss, found = _step(case, dtype, variant, classes.step(index))
            for processes in classes.SHARES:
                place = f"{processes}, {index}, {name}"
                trace[Point(0, "loss", f"{place}: loss")] = loss
                trace |= classes.gradients(found, place)
        trace |= _measured(case, dtype, variant, name)
    return trace


def _build(case: Case, dtype: str, variant: Variant) -> GPT2ForSequenceClassification:
    config = weights._config(case)
    config.num_labels, config.pad_token_id = len(classes.LABELS), classes.PAD
    model = GPT2ForSequenceClassification(config).to(getattr(torch, dtype)).eval()
    own = {key.removeprefix("out_head.").removeprefix("score."): value
           for key, value in classes.head(case, variant.bias).items()}
    if variant.bias:
        model.score = nn.Linear(case.config.n_embd, len(classes.LABELS)).to(model.dtype)
        own["weight"] = own["weight"].T.copy()
    tensors = case.weights | {f"score.{key}": value for key, value in own.items()}
    model.load_state_dict({key: torch.from_numpy(np.array(value))
                           for key, value in tensors.items()}, strict=True)
    return model


def _padded(case: Case, dtype: str) -> Trace:
    """transformers' logits, with positions by the mask and without."""
    trace: Trace = {}
    model = _build(case, dtype, Variant())
    with torch.no_grad():
        for layout in classes.LAYOUTS:
            ids, mask = map(torch.from_numpy, classes.padded(case, layout))
            positions = (mask.cumsum(-1) - 1).masked_fill(mask == 0, 1)
            masked = model(ids, attention_mask=mask, position_ids=positions, use_cache=False)
            trace[Point(0, "logits", f"{layout}, masked")] = masked.logits.numpy()
            trace[Point(0, "logits", f"{layout}, by the padding token")] = model(
                ids, use_cache=False).logits.numpy()
    return trace


def _logits(model, ids: np.ndarray, variant: Variant) -> torch.Tensor:
    """(L,) of one text without padding, but for that which is seen."""
    if variant.width is not None:
        ids = np.append(ids, np.full(variant.width - len(ids), classes.PAD))
    hidden = model.transformer(torch.from_numpy(ids)[None], use_cache=False).last_hidden_state[0]
    read = {"flexible": hidden[-1], "last": hidden[-1], "first": hidden[0],
            "mean": hidden.mean(dim=0)}
    return model.score(read[variant.pooling])


def _class_weights(case: Case, variant: Variant) -> np.ndarray:
    """(L,): texts / (labels x texts of the label), as scikit-learn has it."""
    counts = np.zeros(len(classes.LABELS))
    for _, own in classes.texts(case):
        counts[own] += 1
    return classes.COUNT / (len(counts) * counts) if variant.weighted else np.ones(len(counts))


def _step(case: Case, dtype: str, variant: Variant, numbers: list[int]):
    """The loss, and the gradients by our names of parameters."""
    model, made = _build(case, dtype, variant), classes.texts(case)
    for key, parameter in model.named_parameters():
        parameter.requires_grad = variant.is_trained(_named(key, variant))
    logits = torch.stack([_logits(model, made[number][0], variant) for number in numbers])
    own = torch.tensor([made[number][1] for number in numbers])
    each = torch.from_numpy(_class_weights(case, variant)).to(logits.dtype)
    loss = F.cross_entropy(logits, own, weight=each)
    loss.backward()
    found = {}
    for key, parameter in reversed(list(model.named_parameters())):
        if parameter.grad is not None:
            name, value = _named(key, variant), parameter.grad.numpy()
            found[name] = value.T if name == "out_head.weight" else value
    return loss.detach().numpy(), found


def _named(key: str, variant: Variant) -> str:
    return key.replace("score.", "out_head.") if variant.bias else key


@torch.no_grad()
def _measured(case: Case, dtype: str, variant: Variant, name: str) -> Trace:
    """Loss without weights, confusion matrix, accuracy and macro F1 of all texts."""
    model, made = _build(case, dtype, variant), classes.texts(case)
    logits = torch.stack([_logits(model, ids, variant) for ids, _ in made])
    own, taken = np.array([own for _, own in made]), logits.argmax(dim=-1).numpy()
    labels = range(len(classes.LABELS))
    counts = np.array([[np.sum((own == row) & (taken == column)) for column in labels]
                       for row in labels])
    scores = []
    for label in labels:
        if not ((own == label) | (taken == label)).any():
            continue
        right = np.sum((own == label) & (taken == label))
        precision = right / max(1, np.sum(taken == label))
        recall = right / max(1, np.sum(own == label))
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    return {
        Point(0, "held-out loss", name): F.cross_entropy(logits, torch.from_numpy(own)).numpy(),
        Point(0, "chosen ids", f"{name}: confusion"): counts,
        Point(0, "score", f"{name}: accuracy and macro F1"): np.array(
            [np.mean(own == taken), np.mean(scores)]),
    }
