"""A run with loss scaling: the initial scale, and the steps that overflow."""

# The scale grows within the run. It is a power of two, so that it changes no bit of an update.
INITIAL, GROWTH_INTERVAL = 2.0**15, 4
# Overflows twice in a row, alone, and right after the scale has grown.
OVERFLOWS = (3, 4, 9, 14)


def poisoned(loss, step: int):
    """The same loss, but with a gradient that is not finite in the steps that overflow.

    The gradient comes from sqrt at 0. loss: a scalar tensor of either framework.
    """
    return loss + (loss * 0.0) ** 0.5 if step in OVERFLOWS else loss
