"""The reference: transformers' GPT2LMHeadModel and torch.optim. Never imports Paddle."""

import torch
from transformers.utils import logging

# Waking a second thread costs more than these matrices do, and ten times that on a busy machine.
torch.set_num_threads(1)
logging.disable_progress_bar()
logging.set_verbosity_error()
