"""What is asked of a model for a gap, and what of its answer counts."""

import pytest

from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.evaluation.humaneval.tasks import Task
from paddle_impl.evaluation.infilling.filling import fill
from paddle_impl.evaluation.infilling.spans import Gap
from paddle_impl.model import GPTForCausalLM
from paddle_impl.text.generator import TextGenerator

EOS, PREFIX, MIDDLE, SUFFIX, PAD, PYTHON = range(256, 262)
TASK = Task("t", "p\n", "f", "abc", "")
LINE = Gap(TASK, "single_line", "p\na\n", "b\n", "c")
SPAN = Gap(TASK, "random_span", "p\n", "x\ny", "z")


class Told(TextGenerator):
    """Answers with texts from a list, and keeps prompts and settings."""

    def __init__(self, *texts, tokens=(*FIM_TOKENS, "<python>"), positions=40):
        tokenizer = Tokenizer.byte_level().with_added_tokens(tokens)
        super().__init__(GPTForCausalLM(ModelConfig(
            n_layer=1, n_embd=8, n_head=1, vocab_size=262, n_positions=positions,
            bos_token_id=EOS, eos_token_id=EOS)), tokenizer)
        self.texts, self.prompts, self.settings = list(texts), [], []

    def generate(self, prompts, decoding, seed, on_text=None, first=0):
        self.prompts += prompts
        self.settings += [decoding] * len(prompts)
        for number in range(len(prompts)):
            yield number, [Continuation([], 0.0, "eos", self.texts.pop(0))]


@pytest.mark.parametrize(("mode", "ids"), [
    ("psm", [PREFIX, *b"p\na\n", SUFFIX, *b"c", MIDDLE]),
    ("spm", [PREFIX, SUFFIX, *b"c", MIDDLE, *b"p\na\n"]),
])
def test_an_answer_is_the_middle_as_the_model_ends_it(mode, ids):
    told = Told("b\nand more\n")
    assert fill(told, [LINE], mode=mode, max_new_tokens=9) == (["b\nand more\n"], 0)
    assert told.prompts == [ids]
    (settings,) = told.settings
    assert settings.eos_token_ids == (EOS, PREFIX, MIDDLE, SUFFIX, PAD)
    assert (settings.strategy, settings.max_new_tokens, settings.min_new_tokens) == (
        "greedy_search", 9, 0)


def test_the_language_stands_before_a_prompt():
    told = Told("", "")
    fill(told, [LINE], mode="psm", max_new_tokens=9, language="python")
    fill(told, [LINE], mode="left_to_right", max_new_tokens=9, language="python")
    assert told.prompts == [[PYTHON, PREFIX, *b"p\na\n", SUFFIX, *b"c", MIDDLE],
                            [PYTHON, *b"p\na"]]


@pytest.mark.parametrize(("span", "line", "expected"), [
    ("\n1\n2\n3\n", "\n  b\nc", ["  b\n", "1\n2"]), ("\n1", "\n\nb", ["\n", "1"]),
    ("1", "", ["\n", "1"]),
])
def test_left_to_right_is_given_the_prefix_and_gets_as_many_lines(span, line, expected):
    """The line feed at the end of the prefix is left to the model."""
    told = Told(span, line, tokens=())
    assert fill(told, [SPAN, LINE], mode="left_to_right", max_new_tokens=9) == (expected[::-1], 0)
    assert told.prompts == [[EOS, *b"p"], [EOS, *b"p\na"]]
    assert {settings.stop for settings in told.settings} == {()}
    assert {settings.eos_token_ids for settings in told.settings} == {(EOS,)}


def test_a_prefix_that_ends_within_a_line_is_given_whole():
    told = Told("\nb", tokens=())
    within = Gap(TASK, "random_span", "p\na", "x", "z")
    assert fill(told, [within], mode="left_to_right", max_new_tokens=9) == ([""], 0)
    assert told.prompts == [[EOS, *b"p\na"]]


@pytest.mark.parametrize(("mode", "ids"), [
    ("left_to_right", [EOS, *b"a" * 25, *b"1234"]),
    ("psm", [PREFIX, *b"a" * 17, *b"1234", SUFFIX, *b"cccccc", MIDDLE]),
])
def test_a_long_prompt_is_cut_and_counted(mode, ids):
    long = Gap(TASK, "single_line", "a" * 50 + "1234", "b\n", "c" * 50)
    told = Told("b", "b")
    assert fill(told, [long, LINE], mode=mode, max_new_tokens=10)[1] == 1
    assert told.prompts[0] == ids and len(ids) == 30


def test_a_model_that_fills_no_gaps_is_told_of_the_other_way():
    with pytest.raises(ValueError, match="no <fim_prefix> .*; --infill_mode left_to_right measur"):
        fill(Told(tokens=()), [LINE], mode="psm", max_new_tokens=9)
