"""The reference of a preference run: the policy as it is before the first step.

Its log-probability of each response is computed once and kept in the run's folder, so that a run
needs no second model, and a resumed one has the same numbers.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import paddle
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from data_tools.files import checksums, whole_file
from data_tools.json_fields import HASH, Field, check, list_of, parsed
from paddle_impl import lora
from paddle_impl.checkpoint import contents, manifest
from paddle_impl.config.options import require
from paddle_impl.finetuning.pairs import PairLoader
from paddle_impl.finetuning.preference_loss import log_probabilities
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import to_tensors
from paddle_impl.training.model_class import seen

FILE = "reference.safetensors"
_TOLD = "reference"  # the key of the file's metadata, which hold JSON
_FIELDS = {"fingerprint": HASH, "sha256": HASH, "samples": list_of(
    Field("a text", lambda value: isinstance(value, str)))}


class Reference(NamedTuple):
    """sums: by split, of each pair the log-probabilities of the chosen and of the rejected response
    as sums over their tokens, (pairs, 2) float64. samples: what the policy wrote at step 0.
    """

    sums: dict[str, np.ndarray]
    samples: list[str]


def fingerprint(told: Mapping[str, Any]) -> str:
    """sha256 (hex) of JSON values: what the numbers of a reference depend on."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def weights_sha256(directory: Path) -> str:
    """Of the weights in a directory; of an adapter's file and of its base where it holds one."""
    if not contents.holds_adapter(directory):
        return contents.weights_sha256(directory)
    base = lora.base_of(directory, lora.read_config(directory))
    own = checksums(directory / manifest.ADAPTER)["sha256"]
    return fingerprint({"adapter": own, "base": contents.weights_sha256(base)})


@paddle.no_grad()
def log_probabilities_of(model, loaders: Mapping[str, PairLoader], ranks: Ranks
                         ) -> dict[str, np.ndarray]:
    """Reference.sums by the model, without dropout. All processes call it; each computes the pairs
    that it reads, and all get all of them.

    ValueError, which names the pair, for a number that is not finite.
    """
    model.eval()
    found = {}
    for split, loader in loaders.items():
        sums = np.zeros((len(loader.examples), 2))
        for numbers, batch in loader.everything():
            own, _ = log_probabilities(seen(model), to_tensors(batch))
            if len(numbers):
                sums[numbers] = own.numpy().reshape(2, -1).T
        ranks.barrier()  # wait here: a collective call would time out meanwhile
        together = paddle.to_tensor(sums)
        ranks.data.all_reduce_([together])
        found[split] = together.numpy()
        for number in np.flatnonzero(~np.isfinite(found[split]).all(axis=1))[:1].tolist():
            raise ValueError(f"{loader.examples.describe(number)}: the model that the run starts "
                             f"from gives its responses the log-probabilities "
                             f"{found[split][number].tolist()}, which are not finite")
    return found


def shared(stored: Reference | None, pairs: Mapping[str, int], ranks: Ranks
           ) -> dict[str, np.ndarray] | None:
    """Reference.sums in all processes, which all call it, from the main one that has read the file;
    None where it has not. pairs: how many each split has.
    """
    if not any(ranks.world.total(float(stored is not None))):
        return None
    found = {split: paddle.to_tensor(stored.sums[split] if stored else np.zeros((count, 2)))
             for split, count in pairs.items()}
    ranks.world.all_reduce_([*found.values()])
    return {split: tensor.numpy() for split, tensor in found.items()}


def write(path: Path, mark: str, reference: Reference) -> None:
    """Write the file whole or not at all. mark: the fingerprint."""
    sums = {split: np.ascontiguousarray(values) for split, values in reference.sums.items()}
    told = {"fingerprint": mark, "sha256": _digest(sums), "samples": reference.samples}
    with whole_file(path) as file:
        file.write(save(sums, {_TOLD: json.dumps(told)}))


def read(path: Path, mark: str) -> Reference:
    """What `write` wrote; ValueError, which says why, where that cannot be used."""
    try:
        with safe_open(path, framework="numpy") as file:
            told = parsed((file.metadata() or {}).get(_TOLD, "").encode())
            sums = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        check(told, _FIELDS, _FIELDS)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None
    require(told["fingerprint"] == mark, f"{path} is of other weights, data or settings")
    require(told["sha256"] == _digest(sums), f"{path} is damaged: its numbers are not those that "
            "were written")
    return Reference(sums, told["samples"])


def _digest(sums: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for split in sorted(sums):
        digest.update(split.encode() + sums[split].astype("<f8").tobytes())
    return digest.hexdigest()
