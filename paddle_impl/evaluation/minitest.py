"""Continuations of ten fixed prompts, by which a reader can compare checkpoints.

comparison.py shows those of several checkpoints side by side.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial

from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.generate import generate

PROMPTS = (
    "def fibonacci(n):\n",
    "import os\nimport sys\n\n",
    'def read_lines(path):\n    """Return the lines of a text file."""\n',
    "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n",
    "#include <vector>\n\nint sum(const std::vector<int>& values) {\n",
    "for i in range(10):\n    if i % 2 == 0:\n",
    "The capital of France is",
    "Once upon a time, in a village by the sea, there lived",
    "To boil an egg, first",
    "The most important thing about a good friend is",
)
SETTINGS = {
    "greedy": {"max_new_tokens": 64, "strategy": "greedy_search"},
    "sampled": {"max_new_tokens": 64, "strategy": "sampling", "temperature": 0.8, "top_p": 0.95},
}


def answers(
    model,
    tokenizer: AnyTokenizer,
    seed: int,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[dict]:
    """One record a prompt: prompt, prompt_ids, and a continuation under each name of SETTINGS.

    Equal weights, tokenizer and seed give equal records. A prompt is cut to its last tokens if it
    takes more than half of the model's positions. progress: wraps the iterator over finished
    prompts, as tqdm does.
    """
    vocab_size = min(tokenizer.vocab_size, model.config.vocab_size)
    room = max(1, model.config.n_positions // 2)
    prompts = [[int(i) for i in tokenizer.encode(text)][-room:] for text in PROMPTS]
    records = [{"prompt": text, "prompt_ids": ids}
               for text, ids in zip(PROMPTS, prompts, strict=True)]
    for name, settings in SETTINGS.items():
        decoding = Decoding(**settings, eos_token_ids=end_tokens(model.config, tokenizer),
                            vocab_size=vocab_size)
        found = generate(model, prompts, decoding, draws=partial(uniform_draws, seed),
                         decode_bytes=tokenizer.decode_bytes, progress=progress)
        for record, (one,) in zip(records, found, strict=True):
            record[name] = asdict(one)
    return records


def transcript(records: list[dict]) -> str:
    """The prompts and their continuations as text."""
    parts = []
    for number, record in enumerate(records, start=1):
        parts.append(f"=== {number} " + "=" * 60 + f"\n{record['prompt']}")
        parts += [f"--- {name}\n{record[name]['text']}" for name in SETTINGS]
    return "\n".join(parts)


def measure(config: EvaluationConfig, model, tokenizer: AnyTokenizer) -> tuple[str, dict]:
    """Continue the ten prompts. --compare shows several such results side by side."""
    seed = config.runtime.seed
    records = answers(model, tokenizer, seed, progress_bar(len(PROMPTS)))
    return transcript(records), {"seed": seed, "settings": SETTINGS, "answers": records}
