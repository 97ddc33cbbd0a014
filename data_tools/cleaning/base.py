"""The interface of filters."""


class Filter:
    """Decides whether a text is left out; `reason` is the name under which the report counts it.

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
