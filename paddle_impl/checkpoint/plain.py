"""A directory with a model alone: no training state, and no manifest, as transformers writes it."""

from pathlib import Path

from safetensors.numpy import save_file

from data_tools.files import whole_folder
from data_tools.tokenizing.any_tokenizer import AnyTokenizer
from paddle_impl.checkpoint import contents
from paddle_impl.checkpoint.state import write_json
from paddle_impl.config.options import require
from paddle_impl.convert import hugging_face


def write_model(directory: Path, model, tokenizer: AnyTokenizer | None) -> None:
    """Write the model with its tokenizer; the directory is complete, or not there.

    ValueError where there is something of that name, unless it is an empty directory.
    """
    check_free(directory)
    files = contents.files(model, hugging_face.to_hf(model))
    with whole_folder(directory) as temporary:
        if tokenizer is not None:
            tokenizer.save(temporary, model_max_length=model.config.n_positions)
        for name, values in files.json.items():
            write_json(temporary / name, values)
        for name, tensors in files.tensors.items():
            # transformers refuses a file without this note on the layout of its tensors.
            save_file(tensors, temporary / name, metadata={"format": "pt"})
            (temporary / name).chmod(0o644)  # safetensors leaves it unreadable to others


def check_free(directory: Path) -> None:
    """ValueError unless the directory can be written without a loss."""
    require(not directory.exists() or directory.is_dir() and not any(directory.iterdir()),
            f"{directory} is there already: name a directory that is not")
