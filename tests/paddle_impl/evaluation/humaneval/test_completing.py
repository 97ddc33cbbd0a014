"""A model's samples: the prompts, where samples end, and what the random draws depend on."""

import numpy as np
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.evaluation.humaneval import completing
from paddle_impl.evaluation.humaneval.completing import completer, sample_draws
from paddle_impl.evaluation.humaneval.tasks import read_tasks
from paddle_impl.model import GPTForCausalLM, initialize


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(iter(["def f(x):\n    return x\n" * 9]), 270)


@pytest.fixture(scope="module")
def model(tokenizer) -> GPTForCausalLM:
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=288, n_positions=160,
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    ))
    initialize(model, 0)
    return model


PROMPTS = ["def twice(x):\n    ''\n", "\n\ndef half(x):\n    ''\n"]


def complete(model, tokenizer, prompts=PROMPTS, keys=(5, 6), **more):
    options = {"seed": 1, "num_samples": 3, "max_new_tokens": 8, "temperature": 1.0} | more
    return completer(model, tokenizer, **options)(list(prompts), list(keys))


def test_samples_depend_on_seed_and_task_only(model, tokenizer):
    both = complete(model, tokenizer)
    assert [len(texts) for texts in both] == [3, 3]
    assert len(set(both[0])) > 1
    assert complete(model, tokenizer) == both
    assert complete(model, tokenizer, PROMPTS[1:], [6]) == both[1:]
    assert complete(model, tokenizer, seed=2) != both
    assert complete(model, tokenizer, keys=(7, 6))[0] != both[0]


def test_more_samples_or_fewer_rows_leave_the_first_as_they_are(model, tokenizer):
    assert complete(model, tokenizer, num_samples=5, rows=2)[0][:3] == complete(
        model, tokenizer)[0]


def test_each_sample_has_a_stream_of_its_own():
    wide, late = sample_draws(1, 2, 0), sample_draws(1, 2, 3)
    steps = [wide(step, 5) for step in range(3)]
    assert np.array_equal([row[3:] for row in steps], [late(step, 2) for step in range(3)])
    assert len({float(draw) for row in steps for draw in row}) == 15


def test_what_the_model_is_asked_for(model, tokenizer, monkeypatch):
    asked = []

    def generate(model, prompts, decoding, **more):
        asked.append((prompts, decoding))
        return [[] for _ in prompts]

    monkeypatch.setattr(completing, "generate", generate)
    completer(model, tokenizer, seed=1)(PROMPTS, [5, 6])
    prompts, decoding = asked[0]
    eos = tokenizer.eos_token_id
    assert prompts[1] == [eos, *tokenizer.encode("def half(x):\n    ''")]
    assert (decoding.temperature, decoding.top_p, decoding.max_new_tokens) == (0.2, 0.95, 256)
    assert decoding.stop == ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif")
    assert decoding.strategy == "sampling" and decoding.eos_token_ids == (eos,)
    assert decoding.vocab_size == tokenizer.vocab_size
    assert sum(options.num_return_sequences for _, options in asked) == 20


def test_a_tiny_model_with_one_solution_scores_exactly_that_task(model, tokenizer, tasks_file):
    from paddle_impl.evaluation.humaneval import run

    solved = read_tasks(tasks_file)[2]
    draw = completer(model, tokenizer, seed=1, num_samples=2, max_new_tokens=8)

    def injected(prompts, keys):
        return [[solved.canonical_solution, *texts[1:]] if key == solved.key else texts
                for texts, key in zip(draw(prompts, keys), keys, strict=True)]

    report = run(tasks_file, complete=injected, allow_code_execution=True, k=(1,),
                 execution_timeout=10.0)
    assert report.counts == {"test/twice": (2, 0), "test/order": (2, 0), "test/letters": (2, 1)}


def test_a_prompt_without_room_has_empty_samples_and_the_others_their_own(model, tokenizer):
    with pytest.warns(UserWarning, match="no room in the model's 160 positions"):
        found = complete(model, tokenizer, [PROMPTS[0], "xyz" * 99, PROMPTS[1]], (5, 9, 6))
    assert found[1] == [""] * 3
    assert [found[0], found[2]] == complete(model, tokenizer)
