"""The models of a server, each under a name of its own: a base, and the same with adapters."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from data_tools.tokenizing.chat_template import ChatTemplate, load_chat_template
from paddle_impl.config.options import require
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.decoding.decoder import Decoder
from paddle_impl.serving.fields import Body
from paddle_impl.serving.request import Reader


class Loaded(NamedTuple):
    """options: those of this model, of which `model_id` is its name."""

    model: Any
    tokenizer: Any
    options: ServingOptions


@dataclass(frozen=True)
class Served:
    """A model as requests need it. number: by which the engine knows it."""

    number: int
    name: str
    reader: Reader
    decode_bytes: Callable
    make_decoder: Callable[[], Decoder]

    @property
    def max_model_len(self) -> int:
        return self.reader.max_prompt + 1

    @classmethod
    def of(cls, number: int, loaded: Loaded, decoder_of=None) -> "Served":
        """decoder_of: called with (rows, positions) to make a decoder; None for the one that the
        options name.
        """
        model, tokenizer, options = loaded
        reader = Reader(model.config, tokenizer, options, _chat_template(options))
        positions = min(model.config.n_positions, reader.max_prompt + reader.max_new)
        make = decoder_of or (lambda rows, positions: make_decoder(
            model, rows, positions, options.decoder))
        return cls(number, options.model_id, reader, tokenizer.decode_bytes,
                   lambda: make(options.rows, positions))


class Models:
    """The first answers requests that name none. ValueError where two have one name."""

    def __init__(self, served: Sequence[Served]):
        self.first, self._by_name = served[0], {one.name: one for one in served}
        names = [one.name for one in served]
        for name in names:
            require(names.count(name) == 1, f"two models are called {name}: choose another NAME= "
                    "for an adapter, or --served_model_name for the base")

    def __iter__(self) -> Iterator[Served]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Served | None:
        return self._by_name.get(name)

    def asked(self, content: bytes) -> Served:
        """The model that a request's body names. The first for an unknown one, whose reader says
        what is wrong. RequestError where the body is no JSON object.
        """
        if len(self._by_name) == 1:
            return self.first
        return self._by_name.get(Body(content).text("model"), self.first)


def _chat_template(options: ServingOptions) -> ChatTemplate | None:
    """The one beside the adapter, else the base's."""
    own = options.adapter and load_chat_template(Path(options.adapter))
    return own or load_chat_template(Path(options.model_name_or_path))
