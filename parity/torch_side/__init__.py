"""The reference: transformers' GPT2LMHeadModel and torch.optim. Never imports Paddle."""

import torch
from transformers.utils import logging

LARGE = 10_000_000  # parameters
_CORES = torch.get_num_threads()

logging.disable_progress_bar()


def use_threads(parameters: int) -> None:
    """All cores for a large model, one for a fixture.

    Waking a second thread costs more than a fixture's matrices do, and ten times that if busy.
    """
    torch.set_num_threads(_CORES if parameters >= LARGE else 1)


use_threads(0)
