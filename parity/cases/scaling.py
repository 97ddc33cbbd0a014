"""A run under a loss scale: which of its steps overflow."""

# A scale that grows within the run: powers of two change no bit of an update.
INITIAL, GROWTH_INTERVAL = 2.0**15, 4
# Twice in a row, alone, and right after the scale has grown.
OVERFLOWS = (3, 4, 9, 14)


def poisoned(loss, step: int):
    """The loss, whose gradient is not finite in the steps that overflow: sqrt has no slope at 0.

    loss: a scalar of either framework.
    """
    return loss + (loss * 0.0) ** 0.5 if step in OVERFLOWS else loss
