"""A user's checkpoint, a directory in HF's format, as a case: its weights, and batches of its data.

GPT-2 small in float64 fits into 8 GiB: the two frameworks compute one after the other, the weights
stay mapped from the disk, rows are short, and no parameters are kept after a step.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from data_tools.token_files.token_file import TokenFile, find_prefixes
from paddle_impl.config.model import ModelConfig
from parity.cases import SCHEDULE, Case
from parity.cases.drawing import masked, random_tokens, shapes
from parity.compare import Result
from parity.tolerances import Rule, row

ROW = 128  # tokens of a row; rows of the training steps have half as many
LEAST = 8  # the fewest tokens of a row that can have padding at both ends
STEPS = 3  # the second and third losses show the updates of the steps before
CLIP = 1.0  # the default of run_pretrain.py
# Low rates, because the weights may be trained. At the fixtures' rates the third gradient norm of
# an overfitted model is off by 78 eps, at these by 3.
RATES = SCHEDULE | {"max_lr": 2e-4, "min_lr": 3e-5}

Open = Callable[[Path], tuple[ModelConfig, Mapping[str, np.ndarray]]]


def from_checkpoint(
    directory: Path, data: str | None, open_checkpoint: Open
) -> tuple[Case, str]:
    """(case, description for the reports); ValueError where weights or data cannot be used.

    data: the prefix of token files; None draws random ids.
    open_checkpoint: reads the directory, as the Paddle side does. What it reads is checked, and
    gives the inputs their shape. Each side later reads the directory by its own means.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory} is no checkpoint directory")
    config, opened = open_checkpoint(directory)
    if config.n_positions < LEAST:
        raise ValueError(f"{directory / 'config.json'}: n_positions is {config.n_positions}, at "
                         f"least {LEAST} needed")
    weights = _weights(directory, config, opened)
    rows, source = _rows(config, data)
    t, half = rows.shape[1] - 1, rows.shape[1] // 2
    batch = masked(rows[:3], [(0, t), (0, t // 2), (t // 4, t)])
    steps = [
        [masked(own[:2, : half + 1], [(0, half), (0, half // 3)]),
         masked(own[2:, : half + 1], [(0, half // 2), (1, 3)])]
        for own in np.split(rows[3:], STEPS)
    ]
    name = directory.resolve().name
    fed = batch["input_ids"].size + sum(b["input_ids"].size for step in steps for b in step)
    subject = f"checkpoint {name} ({config.num_parameters():,} parameters) on {fed:,} {source}"
    case = Case(
        f"checkpoint {name}", config, weights, batch, steps, CLIP, RATES,
        snapshots=(), directory=str(directory),
    )
    return case, subject


def memory_gib(case: Case) -> float:
    """Peak memory of a run: both frameworks, and one float64 model with gradients and moments."""
    return 0.6 + 55 * case.config.num_parameters() / 2**30


def remarks(results: list[Result]) -> list[str]:
    """Sentences beside the verdict: a warning where the weights are ill conditioned."""
    noisy = [r for r in results if r.torch_error is not None
             and row(r.place.gate, r.point.phase).rule is Rule.BUDGET
             and r.torch_error > row(r.place.gate, r.point.phase).limit]
    if not noisy:
        return []
    most = max(noisy, key=lambda result: result.torch_error)
    return [
        f"ill conditioned: float32 errors of torch itself reach {most.torch_error:.0f} eps "
        f"({most.point.phase} of {most.point.tensor}; {len(noisy)} tensors are beyond "
        f"{row(most.place.gate, most.point.phase).limit:.0f}). These weights amplify rounding in "
        "either framework: there, trust gate A, and expect float32 runs to drift apart"
    ]


def _weights(
    directory: Path, config: ModelConfig, opened: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Every tensor in float32 under HF's name, mapped from the file where it holds float32.

    ValueError where tensors are missing, unknown, of another shape, zero throughout or not finite.
    """
    expected = shapes(config)
    missing, extra = expected.keys() - opened.keys(), opened.keys() - expected.keys()
    if missing or extra:
        raise ValueError(f"{directory}: the weights do not fit config.json: {len(missing)} missing "
                         f"{sorted(missing)[:3]}, {len(extra)} unknown {sorted(extra)[:3]}")
    found = {}
    for name, shape in expected.items():
        with np.errstate(over="ignore"):  # a value too large for float32 is refused below
            found[name] = opened[name].astype(np.float32, copy=False)
        if found[name].shape != shape:
            raise ValueError(f"{directory}: {name} has shape {found[name].shape}, "
                             f"config.json asks for {shape}")
        if name.endswith("weight") and not found[name].any():
            raise ValueError(f"{directory}: {name} is zero throughout, and so are the gradients "
                             "behind it: they could not tell right from wrong")
        if not np.isfinite(found[name]).all():
            raise ValueError(f"{directory}: {name} holds a value that is not finite in float32")
    return found


def _rows(config: ModelConfig, data: str | None) -> tuple[np.ndarray, str]:
    """(ids, name of their source). The ids are (3 + 4 * STEPS, T + 1): a batch, then the steps."""
    count, length = 3 + 4 * STEPS, min(ROW, config.n_positions) + 1
    if data is None:
        rng = np.random.default_rng(2019)
        return random_tokens(config, rng, count, length), "seeded random tokens"
    prefix, *more = find_prefixes(data)
    if more:
        raise ValueError(f"{data} holds several datasets, name one: {', '.join([prefix, *more])}")
    tokens = TokenFile.open(prefix)
    if len(tokens.ids) <= LEAST:
        raise ValueError(f"{prefix} holds {len(tokens.ids)} tokens, more than {LEAST} are needed")
    low, high = tokens.id_range()
    if low < 0 or high >= config.vocab_size:
        raise ValueError(f"{prefix} holds ids from {low} to {high}, but the vocabulary is 0 "
                         f"to {config.vocab_size - 1}: the data was made with another tokenizer")
    length = min(length, len(tokens.ids))
    starts = np.linspace(0, len(tokens.ids) - length, count).astype(int)
    rows = np.stack([tokens.ids[start : start + length] for start in starts]).astype(np.int64)
    return rows, f"tokens of {prefix}"
