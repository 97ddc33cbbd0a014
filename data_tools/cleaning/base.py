"""What every filter is to those who use it."""


class Filter:
    """Says of each text whether it is left out; `reason` is what the report counts it under.

    Where `remembers` is true, drops(text) also learns the text if it is kept. Such a filter has
    learnt(), the bytes learnt since the last call, and restore(memory): a fresh filter that is
    given all these bytes, joined in order, decides from there on as the first one would have.
    Call learnt() when drops() has seen exactly the documents that a restart will not see again:
    a document learnt but not yet stored would be dropped after the restart as its own duplicate.
    """

    reason: str
    remembers = False

    def drops(self, text: str) -> bool:
        raise NotImplementedError
