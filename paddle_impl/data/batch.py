"""A batch: numpy arrays by name, which a loader makes and an objective reads."""

import numpy as np

Batch = dict[str, np.ndarray]

# A label that is not counted in the loss, as ignore_index of PyTorch's cross entropy. The loss has
# no other mask.
IGNORED = -100
