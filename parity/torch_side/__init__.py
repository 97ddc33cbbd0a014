"""The reference side: transformers' GPT2LMHeadModel and torch.optim. It never imports Paddle."""

import torch
from transformers.utils import logging

# One thread is faster for matrices this small: to start a second one takes longer than the product.
torch.set_num_threads(1)
logging.disable_progress_bar()
logging.set_verbosity_error()
