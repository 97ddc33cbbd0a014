"""The ids of a prompt, for the commands, the server and an exported model alike."""

from collections.abc import Sequence

from data_tools.tokenizing.tokenizer import AnyTokenizer


def prompt_ids(
    tokenizer: AnyTokenizer, prompt: str, special_tokens: bool = False, front: Sequence[int] = (),
) -> list[int]:
    """The ids of a prompt. An empty prompt has the end token, which starts a new document.

    front: ids before it, such as a language's token, with which a document can begin as well.

    ValueError for a prompt with lone surrogates: Python puts them in the place of bytes of a
    command line that are not UTF-8.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the prompt {prompt[:30]!r} is not UTF-8 text") from None
    ids = [int(i) for i in tokenizer.encode(prompt, special_tokens=special_tokens)]
    return [*front, *ids] or [tokenizer.eos_token_id]
