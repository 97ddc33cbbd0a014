"""A user's checkpoint, a directory in HF's format, as a case: its weights, and batches of its data.

Sized so that both frameworks take turns with GPT-2 small in float64 within 8 GiB: weights stay
mapped from the disk, rows are short, and no parameter is kept for comparison after a step.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from data_tools.token_files.token_file import TokenFile, find_prefixes
from paddle_impl.config.model import ModelConfig
from parity.cases import SCHEDULE, Case, masked, random_tokens, shapes
from parity.compare import Result
from parity.tolerances import Rule, row

ROW = 128  # tokens of a row, in a run half as many
LEAST = 8  # tokens of a row that can be padded on both sides
STEPS = 3  # the first updates are seen in the second loss, and again in the third
CLIP = 1.0  # the default of run_pretrain.py
# Small, for trained weights: at the fixtures' rates the third gradient norm of an overfitted model
# is off by 78 eps, at these by 3.
RATES = SCHEDULE | {"max_lr": 2e-4, "min_lr": 3e-5}

OpenWeights = Callable[[Path], Mapping[str, np.ndarray]]


def from_checkpoint(
    directory: Path, data: str | None, open_weights: OpenWeights
) -> tuple[Case, str]:
    """The case, and what is proved in words; ValueError, in one sentence, where either is unfit.

    data: the prefix of token files; None draws random ids. open_weights: how the Paddle side reads
    the directory. Only that the weights are fit to prove something is checked with it: each side
    fills its model from the directory by its own means.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory} is no checkpoint directory")
    config = _config(directory / "config.json")
    weights = _weights(directory, config, open_weights)
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
    """Peak of a whole run: the frameworks, and one model with gradients and moments in float64."""
    return 0.6 + 55 * case.config.num_parameters() / 2**30


def remarks(results: list[Result]) -> list[str]:
    """What a user should know beside the verdict, in words."""
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


def _config(path: Path) -> ModelConfig:
    try:
        config = ModelConfig.from_hf(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(f"{path.parent} is no checkpoint: it has no config.json") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if config.n_positions < LEAST:
        raise ValueError(f"{path}: n_positions is {config.n_positions}, at least {LEAST} needed")
    # Paddle keeps it as float32; a float64 1e-5 on the other side would cost six digits.
    return config.with_(layer_norm_epsilon=float(np.float32(config.layer_norm_epsilon)))


def _weights(
    directory: Path, config: ModelConfig, open_weights: OpenWeights
) -> dict[str, np.ndarray]:
    """float32 under HF's names, mapped where the file holds float32; all of them, and finite."""
    opened = open_weights(directory)
    expected = shapes(config)
    missing, extra = expected.keys() - opened.keys(), opened.keys() - expected.keys()
    if missing or extra:
        raise ValueError(f"{directory}: the weights do not fit config.json: {len(missing)} missing "
                         f"{sorted(missing)[:3]}, {len(extra)} unknown {sorted(extra)[:3]}")
    found = {}
    for name, shape in expected.items():
        with np.errstate(over="ignore"):  # a float64 beyond float32 is refused as not finite
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
    """Rows of T + 1 ids for a batch of three and for steps of four; where they come from."""
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
