"""Documents -> train, valid and test: three runs of them, in file order."""

SPLITS = ("train", "valid", "test")


def split_bounds(shares: list[float], documents: int) -> list[int]:
    """Document bounds [0, a, b, documents] of train, valid and test (PaddleNLP's rounding)."""
    bounds = [0]
    for share in shares:
        bounds.append(bounds[-1] + int(round(share * documents)))
    excess = bounds[-1] - documents
    # Where train has no share, rounding could take a document more than there is.
    return [0] + [max(0, bound - excess) for bound in bounds[1:]]
