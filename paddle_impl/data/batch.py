"""A batch: numpy arrays by name, as a loader gives it and an objective takes it."""

import numpy as np

Batch = dict[str, np.ndarray]

# A label that costs nothing, as in PyTorch's cross entropy and in transformers. There is no other
# mask of the loss.
IGNORED = -100
