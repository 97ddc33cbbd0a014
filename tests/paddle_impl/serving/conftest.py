"""A server in this process, with a decoder that repeats a fixed text or with a small model."""

import threading
import time

import numpy as np
import openai
import pytest

from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.server import Server

SECONDS = 60  # many times what any call here takes; a longer wait is a hang
CHAT = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}" \
       "{% if add_generation_prompt %}assistant: {% endif %}"

# Of gaps: a tokenizer with control tokens, and the shape of a model that has them.
BYTES = Tokenizer.byte_level().with_added_tokens([*FIM_TOKENS, "<python>"])
EOS, PREFIX, MIDDLE, SUFFIX, PAD, PYTHON = range(256, 262)


class Filler:
    config = ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=262, n_positions=64)


class Reciter:
    """A decoder that says `text` after any prompt, a byte a token, and then the end token.

    `held`: while it is clear every step waits. `broken`: what the next step raises.
    """

    def __init__(self, rows: int, positions: int, text: str, sharpness: float = 50.0):
        self.rows, self.positions, self.vocab_size = rows, positions, 260
        self._sharpness = sharpness
        self._tokens = [*text.encode(), 256]
        self._at: dict[int, int] = {}
        self.held, self.broken = threading.Event(), None
        self.held.set()
        self.steps = 0

    def prefill(self, row, prompt):
        self._at[row] = 0
        return self._logits(row)

    def step(self, rows, tokens):
        self.steps += 1
        assert self.held.wait(SECONDS)
        if self.broken:
            raise self.broken
        for row in rows:
            self._at[row] += 1
        return np.stack([self._logits(row) for row in rows])

    def copy(self, source, target):
        self._at[target] = self._at[source]

    def _logits(self, row):
        logits = np.zeros(260, np.float32)
        logits[self._tokens[min(self._at[row], len(self._tokens) - 1)]] = self._sharpness
        return logits


class Running:
    """A server in a thread, its client, and the decoders it has made."""

    def __init__(self, model, directory, decoder_of=None, tokenizer=None, others=(),
                 **options):
        self.decoders = []

        def make(rows, positions):
            self.decoders.append(decoder_of(rows, positions))
            return self.decoders[-1]

        given = ServingOptions(model_name_or_path=str(directory), port=0,
                               served_model_name="tiny", **options)
        self.tokenizer = tokenizer or Tokenizer.byte_level()
        self.server = Server(model, self.tokenizer, given, make if decoder_of else None,
                             others)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(self.ready.set,))
        self.thread.start()
        assert self.ready.wait(SECONDS)
        self.url = self.server.url
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0,
                                    timeout=SECONDS)

    @property
    def decoder(self) -> Reciter:
        return self.decoders[-1]

    def complete(self, prompt="x", **more):
        return self.client.completions.create(model="tiny", prompt=prompt, **more)

    def end(self) -> None:
        for decoder in self.decoders:
            getattr(decoder, "held", threading.Event()).set()
        if self.thread.is_alive():
            self.server.stop()
        self.thread.join(SECONDS)
        self.client.close()
        assert not self.thread.is_alive()


class Nothing:
    """A model of which only the shape is used."""

    config = ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=260, n_positions=64)


def until(condition) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def start(tmp_path):
    """Start a server that repeats a fixed text; it is closed when the test ends."""
    running = []

    def begin(text="Hello", directory=None, sharpness=50.0, **options) -> Running:
        running.append(Running(
            Nothing, directory or tmp_path,
            lambda rows, positions: Reciter(rows, positions, text, sharpness), **options))
        return running[-1]

    yield begin
    for one in running:
        one.end()


@pytest.fixture
def chat_directory(tmp_path):
    (tmp_path / "chat_template.jinja").write_text(CHAT)
    return tmp_path


@pytest.fixture(scope="package")
def sharp_model():
    """Two layers in float64, where the rows of a batch do not change each other's choices."""
    import paddle

    from paddle_impl.model import GPTForCausalLM, initialize

    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=16, n_head=2, vocab_size=260, n_positions=64,
        embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0,
    ))
    initialize(model, 0)
    with paddle.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.set_value(parameter * 12.0)
    return model.astype("float64")
