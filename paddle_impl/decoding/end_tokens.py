"""Which tokens end a continuation: decided here for the commands, the server, measures and exports.
"""

from data_tools.tokenizing.any_tokenizer import AnyTokenizer, end_of
from paddle_impl.config.model import ModelConfig


def end_tokens(config: ModelConfig, tokenizer: AnyTokenizer) -> tuple[int, ...]:
    """Those that the checkpoint declares (see ModelConfig.end_tokens), else the tokenizer's.

    Declared ids beyond the vocabulary are left out: the config.json of many small models keeps
    GPT2Config's default, 50256. () where the tokenizer has no end token either: a continuation then
    ends where its length is reached.
    """
    vocab_size = min(config.vocab_size, tokenizer.vocab_size)
    declared = tuple(token for token in config.end_tokens if 0 <= token < vocab_size)
    own = end_of(tokenizer)
    return declared or (() if own is None else (own,))
