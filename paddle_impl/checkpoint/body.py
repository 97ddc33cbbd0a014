"""The transformer of a language model, for a model that may have another head on it."""

from pathlib import Path

from paddle_impl.checkpoint import contents, weights
from paddle_impl.convert import hugging_face


def load_body(directory: Path, model) -> None:
    """Fill all tensors but the head's; tokens that the weights lack get the mean of the others.

    ValueError unless the directory holds a whole language model, and every tensor finds its place.
    """
    contents.check_language_model(directory)
    body = [name for name, _ in model.named_parameters() if name.startswith("transformer.")]
    try:
        hugging_face.load_weights(model, weights.open_weights(directory), body,
                                  grow_vocabulary=True)
    except ValueError as error:
        raise ValueError(f"{directory}: {error}") from None
