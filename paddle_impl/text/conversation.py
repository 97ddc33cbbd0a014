"""run_generation.py --interactive: a conversation in which prompts are completed."""

from collections.abc import Callable
from dataclasses import replace

from data_tools.completion.languages import id_of, languages_of
from paddle_impl.config.decoding import Decoding, DecodingOptions
from paddle_impl.text.generator import TextGenerator
from paddle_impl.text.prompts import chat_prompt

HELP = """Type a text to continue it; a line that ends in \\ goes on in the next. Commands:
  exit                 leave (also Ctrl-D)
  change_lang          choose another language
  new                  with --chat: forget what was said
  set NAME VALUE       one of {settings}
  settings             show them
  help                 this"""
_NUMBERS = {"temperature": float, "top_k": int, "top_p": float, "max_dec_len": int,
            "repetition_penalty": float, "seed": int}


class Conversation:
    """Reads prompts with `ask`, which is given the text to show before, and writes with `say`.

    If the tokenizer has language tokens such as <python>, the user chooses one at the beginning
    unless `language` names it; its id is put before the ids of every prompt, as in training. The
    seed grows by one with each continuation. chat: prompts are the messages of a user, and what was
    said stands before them, as the chat template writes it. ValueError for a language without a
    token.
    """

    def __init__(
        self, generator: TextGenerator, options: DecodingOptions, seed: int,
        ask: Callable[[str], str] = input, say: Callable[..., None] = print,
        language: str | None = None, chat: bool = False,
    ):
        self._generator, self._ask, self._say = generator, ask, say
        self._seed = seed
        self._decoding = options.settings(generator.end_tokens, generator.vocab_size)
        self._special_tokens = generator.tokenizer.special_tokens
        if language is not None:
            id_of(language, self._special_tokens)
        self._language = language
        self._messages: list[dict] | None = [] if chat else None

    def run(self) -> None:
        _edit_lines()
        self._say("help shows the commands")
        try:
            if self._messages is None and self._language is None \
                    and languages_of(self._special_tokens):
                self._choose_language()
            while (line := self._read()).strip() != "exit":
                self._answer(line)
        except EOFError:
            self._say()

    def _read(self) -> str:
        lines = [self._ask(">>> ")]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(self._ask("... "))
        return "\n".join(lines)

    def _answer(self, line: str) -> None:
        try:
            match line.split():
                case []:
                    return
                case ["help"]:
                    self._say(HELP.format(settings=", ".join(_NUMBERS)))
                case ["new"] if self._messages is not None:
                    self._messages = []
                case ["change_lang"] if languages_of(self._special_tokens):
                    self._choose_language()
                case ["change_lang"]:
                    self._say("the tokenizer has no tokens of languages")
                case ["settings"]:
                    self._say(", ".join(f"{name} {self._value(name)}" for name in _NUMBERS))
                case ["set", name, value]:
                    self._set(name, value)
                case _:
                    self._continue(line)
        except ValueError as error:
            self._say(f"error: {error}")
        except KeyboardInterrupt:
            self._say("\n(stopped)")

    def _choose_language(self) -> None:
        asked = f"language ({', '.join(languages_of(self._special_tokens))}): "
        while (name := self._ask(asked).strip()) != "exit":
            try:
                id_of(name, self._special_tokens)
            except ValueError as error:
                self._say(f"error: {error}")
            else:
                self._language = name
                return
        raise EOFError

    def _continue(self, prompt: str) -> None:
        if self._messages is None:
            ids = self._generator.ids(prompt, language=self._language)
            self._say(prompt, end="", flush=True)
        else:
            asked = [*self._messages, {"role": "user", "content": prompt}]
            ids = self._generator.ids(chat_prompt(self._generator.tokenizer, asked),
                                      special_tokens=True)
        shown = None if self._decoding.strategy == "beam_search" else self._show
        for _, (best, *_) in self._generator.generate([ids], self._decoding, self._seed, shown):
            self._say(best.text if shown is None else "")
            if self._messages is not None:
                self._messages = [*asked, {"role": "assistant", "content": best.text}]
        self._seed = (self._seed + 1) % 2**32

    def _show(self, prompt: int, number: int, text: str) -> None:
        self._say(text, end="", flush=True)

    def _value(self, name: str):
        if name == "seed":
            return self._seed
        return getattr(self._decoding, _setting(name))

    def _set(self, name: str, value: str) -> None:
        if name not in _NUMBERS:
            raise ValueError(f"no setting {name}: there are {', '.join(_NUMBERS)}")
        try:
            number = _NUMBERS[name](value)
        except ValueError:
            raise ValueError(f"{name} takes a number, got {value!r}") from None
        if name == "seed":
            if not 0 <= number < 2**32:
                raise ValueError(f"seed must lie in [0, 2^32), got {number}")
            self._seed = number
        else:
            self._decoding = _changed(self._decoding, _setting(name), number)
        self._say(f"{name} {number}")


def _setting(name: str) -> str:
    return "max_new_tokens" if name == "max_dec_len" else name


def _changed(decoding: Decoding, name: str, value) -> Decoding:
    fewer = {"min_new_tokens": min(decoding.min_new_tokens, value)} if name == "max_new_tokens" \
        else {}
    return replace(decoding, **{name: value}, **fewer)


def _edit_lines() -> None:
    """Let input() have arrow keys and a history, if Python was built with readline."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
