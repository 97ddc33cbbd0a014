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


# A run that is resumed: steps that overflow, and steps whose loss is NaN, which may be skipped.
RESUMED_GROWTH, RESUMED_STEPS, RESUMED_AFTER = 3, 8, 5
OVERFLOW, NANS = 2, (3, 7)
# A run whose loss stays as it is. Its first evaluation is the best.
PATIENCE, EVALUATE_EVERY = 3, 2


def spoiled(loss, step: int):
    """The loss with a gradient that is infinite, or itself NaN, in the steps above."""
    if step in NANS:
        return loss * float("nan")
    return loss + (loss * 0.0) ** 0.5 if step == OVERFLOW else loss
