"""The unbiased estimator of pass@k: https://arxiv.org/abs/2107.03374, section 2.1."""

import math
from collections.abc import Iterable, Mapping


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The probability that at least one of k samples, drawn without replacement, has passed.

    1 - C(samples - passed, k) / C(samples, k), in integers up to the division. ValueError unless
    0 <= passed <= samples and 1 <= k <= samples.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"pass@{k} of {passed} passed among {samples} samples has no meaning")
    return 1.0 - math.comb(samples - passed, k) / math.comb(samples, k)


def mean_pass_at_k(counts: Mapping[str, tuple[int, int]], ks: Iterable[int]) -> dict[int, float]:
    """{k: mean over tasks}, for those k for which every task has enough samples.

    counts: task_id -> (samples, passed).
    """
    fewest = min(samples for samples, _ in counts.values())
    return {
        k: math.fsum(pass_at_k(*count, k) for count in counts.values()) / len(counts)
        for k in ks if k <= fewest
    }
