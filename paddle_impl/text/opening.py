"""What a user names, a checkpoint, an adapter or both, as a plain language model."""

from pathlib import Path

from data_tools.tokenizing.bpe_files import find_files
from data_tools.tokenizing.chinese_tokenizer import find_model
from data_tools.tokenizing.tokenizer import AnyTokenizer, load_tokenizer
from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint.contents import holds_adapter
from paddle_impl.config.options import require
from paddle_impl.model import GPTForCausalLM


def base_and_adapter(directory: str | None, adapter: str | None) -> tuple[Path, Path | None]:
    """The directory of whole weights, and that of an adapter for them; None for none.

    Where one of the two is not given, the adapter tells its base, as for peft. ValueError where
    that is no directory.
    """
    if adapter is None and not holds_adapter(Path(directory)):
        return Path(directory), None
    if directory is not None and adapter is not None:
        return Path(directory), Path(adapter)
    place = Path(adapter or directory)
    base = lora.read_config(place).base_model_name_or_path
    require(bool(base) and Path(base).is_dir(), f"{place} holds an adapter of {base}, which is no "
            f"directory here: name its base, --model_name_or_path BASE --adapter {place}")
    return Path(base), place


def open_model(base: Path, adapter: Path | None) -> GPTForCausalLM:
    """The model with the adapter in its weights, so that it computes as fast as without.

    ValueError where the files are not whole, and where the adapter was trained on other weights.
    """
    return checkpoint.load_language_model(base) if adapter is None else lora.load_merged(
        base, adapter)


def open_tokenizer(base: Path, adapter: Path | None) -> AnyTokenizer:
    """The one beside the adapter, which may have new tokens, else the base's; ValueError for none.
    """
    own = adapter is not None and (find_files(adapter) or find_model(adapter))
    place = adapter if own else base
    return checkpoint.load_tokenizer(place) or load_tokenizer(place)  # which says what is wrong
