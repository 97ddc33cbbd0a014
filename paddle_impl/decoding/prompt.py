"""A prompt's text to ids, the same for the commands, the server and an export."""

from data_tools.tokenizing.tokenizer import AnyTokenizer


def prompt_ids(tokenizer: AnyTokenizer, prompt: str, special_tokens: bool = False) -> list[int]:
    """At least one: a prompt without a character starts a new document.

    ValueError for a prompt with lone surrogates, which is how Python shows bytes of a command line
    that are not UTF-8.
    """
    try:
        prompt.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the prompt {prompt[:30]!r} is not UTF-8 text") from None
    ids = [int(i) for i in tokenizer.encode(prompt, special_tokens=special_tokens)]
    return ids or [tokenizer.eos_token_id]
