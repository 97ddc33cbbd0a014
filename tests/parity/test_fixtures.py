"""The fixtures have the properties that they need, and both sides have the same functions."""

import importlib
import inspect

import numpy as np
import pytest
import torch

from data_tools.index_helper import separate_last_epoch
from paddle_impl.decoding import paddle_decoder
from parity import cases, ladder
from parity.cases import blocks as cases_blocks
from parity.cases import decoding as cases_decoding
from parity.cases import evaluation as cases_evaluation
from parity.cases import exporting as cases_exporting
from parity.cases import forms as cases_forms
from parity.cases import generation as cases_generation
from parity.cases import odd
from parity.cases import serving as cases_serving
from parity.cases import text as cases_text
from parity.torch_side import decoding as torch_decoding
from parity.torch_side import exporting as torch_exporting
from parity.torch_side import forms as torch_forms
from parity.torch_side import serving as torch_serving
from parity.torch_side import weights as torch_weights


@pytest.mark.parametrize("name", cases.CASES)
def test_nothing_stands_at_a_default(name):
    for key, value in cases.case(name).weights.items():
        assert value.dtype == np.float32
        assert np.unique(value).size > value.size / 2, key


def test_constants_fit_float32():
    for constant in (cases.LAYER_NORM_EPSILON, cases.WEIGHT_DECAY):
        assert float(np.float32(constant)) == constant


@pytest.mark.parametrize("name", cases.CASES)
def test_masks_are_uneven_and_one_row_is_full(name):
    case = cases.case(name)
    counted = case.batch["labels"] != -100
    assert counted.all(axis=1).any()
    assert not counted.all()
    assert len(case.steps) == cases.STEPS
    for micro_batches in case.steps:
        counts = [int((batch["labels"] != -100).sum()) for batch in micro_batches]
        assert len(set(counts)) == cases.MICRO_BATCHES


def test_labels_are_the_inputs_shifted_once():
    batch = cases.case("std_0.2").batch
    counted = batch["labels"][:, :-1] != -100
    assert (batch["labels"][:, :-1] == batch["input_ids"][:, 1:])[counted].all()
    assert counted.any()


def test_fixtures_are_the_same_in_every_process():
    """Hand-copied: a change here changes every number the suite has ever reported."""
    batch = cases.case("std_0.2").batch
    assert batch["input_ids"][0, :4].tolist() == [93, 197, 106, 33]
    assert (batch["labels"] != -100).sum(axis=1).tolist() == [64, 40, 47, 18]


MODULES = sorted({rung.function.partition(".")[0] for rung in ladder.RUNGS})


@pytest.mark.parametrize("module", MODULES)
def test_both_sides_offer_the_same_functions(module):
    """Whatever takes a case and a dtype is a rung's or a handover's; the rest is the side's own."""
    torch_side, paddle_side = (
        {
            name
            for name, function in inspect.getmembers(
                importlib.import_module(f"parity.{side}.{module}"), inspect.isfunction
            )
            if not name.startswith("_") and function.__module__ == f"parity.{side}.{module}"
            and list(inspect.signature(function).parameters) == ["case", "dtype"]
        }
        for side in ("torch_side", "paddle_side")
    )
    assert torch_side == paddle_side
    assert torch_side


def test_every_rung_has_its_function_on_both_sides():
    for rung in ladder.RUNGS:
        for side in ("torch_side", "paddle_side"):
            assert callable(ladder.function(side, rung.function))
            assert not rung.handover or callable(ladder.function(side, rung.handover))


def test_orders_reach_both_forms_of_the_last_epoch():
    """Shuffled along with the others, shuffled alone, and the only one."""
    rng_lens = {"train": 539, "valid": 180, "test": 86}
    forms = set()
    for split, wanted, _ in cases_text.ORDERS.values():
        tokens = rng_lens[split]
        epochs = -(-(wanted * cases_text.WINDOW + 1) // tokens)
        alone, _ = separate_last_epoch(epochs, tokens, cases_text.WINDOW, wanted)
        forms.add((epochs > 1, alone))
    assert forms == {(False, False), (True, False), (True, True)}


def test_the_vocabulary_has_no_gap():
    assert sorted(cases_text.VOCABULARY.values()) == list(range(len(cases_text.VOCABULARY)))
    assert len(set(cases_text.MERGES)) == len(cases_text.MERGES)


@pytest.mark.parametrize("name", cases.CASES)
def test_greedy_choices_are_decided_by_more_than_rounding(name):
    """Ids must be equal in float32 too, so no choice may hang on 1e-5 of the logits' size."""
    model = torch_weights.build(cases.case(name), "float64")
    for prompt in cases_generation.PROMPTS:
        ids = torch.tensor([prompt])
        room = model.config.n_positions - len(prompt)
        for _ in range(min(room, cases_generation.Setting().max_new_tokens)):
            with torch.no_grad():
                logits = model(ids, use_cache=False).logits[0, -1]
            best, second = logits.topk(2).values
            assert best - second > 1e-4 * logits.square().mean().sqrt()
            ids = torch.cat([ids, logits.argmax()[None, None]], dim=1)


@pytest.mark.parametrize("name", cases.CASES)
def test_tiny_models_meet_every_kind_of_beam_search(name):
    tiny = cases_decoding.models(cases.case(name))
    assert len(tiny) == cases_decoding.MODELS // len(cases.CASES)
    beams = [one.beam for one in tiny]
    assert {(beam.num_beams, beam.length_penalty) for beam in beams} == {
        (width, penalty) for width in cases_decoding.WIDTHS
        for penalty in cases_decoding.LENGTH_PENALTIES}
    assert {(beam.num_beams, beam.early_stopping) for beam in beams} == {
        (width, early) for width in cases_decoding.WIDTHS
        for early in cases_decoding.EARLY_STOPPING}
    wide = [one for one in tiny if one.beam.num_beams > 1]
    # Fewer tokens than candidates; several end tokens; fewer returned than searched.
    assert any(one.case.config.vocab_size < 2 * one.beam.num_beams for one in wide)
    assert sum(len(one.beam.eos_token_ids) > 3 for one in wide) > 10
    assert sum(one.beam.num_return_sequences < one.beam.num_beams for one in wide) > 10
    assert any(len(one.prompts[0]) + one.beam.max_new_tokens > one.case.config.n_positions
               for one in wide)


@pytest.mark.parametrize("name", cases.CASES)
def test_tiny_models_meet_every_setting(name):
    tiny = cases_decoding.models(cases.case(name))
    greedy = [one.greedy for one in tiny]
    for met in (
        [one.repetition_penalty > 1.0 for one in greedy],
        [one.repetition_penalty < 1.0 for one in greedy],
        *([one.no_repeat_ngram_size == size for one in greedy] for size in (1, 2, 3)),
        [one.min_new_tokens > 0 and len(one.eos_token_ids) > 1 for one in greedy],
        [one.greedy.vocab_size < one.case.config.vocab_size for one in tiny],
        [len({len(prompt) for prompt in one.prompts}) == 3 for one in tiny],
        [one.sampled.top_k > 0 and one.sampled.top_p < 1.0 for one in tiny],
    ):
        assert 10 <= sum(met) < len(tiny)


def test_transformers_searches_beams_in_float64():
    """It casts logits and scores to float32, which would hide all that is below 1e-7."""
    case = cases.case(cases.CASES[0])
    few = [one for one in cases_decoding.models(case)[:12] if one.beam.num_beams > 1]
    for one in few[:3]:
        model = torch_weights.build(one.case, "float64")
        decoding = cases_decoding.fitted(one.beam, one.prompts[0])
        out = torch_decoding._generate(model, one.prompts[0], decoding)
        assert out.sequences_scores.dtype == torch.float64
        assert (out.sequences_scores != out.sequences_scores.float().double()).all()


@pytest.mark.parametrize("name", cases.CASES)
def test_the_odd_model_has_no_round_sizes_and_uneven_micro_batches(name):
    case = odd.odd(cases.case(name))
    shape = case.config
    assert shape.n_embd // shape.n_head == 13 and shape.vocab_size % 2 and shape.n_positions % 2
    assert (shape.attn_pdrop, len(case.steps)) == (0.0, odd.STEPS)
    for micro_batches in case.steps:
        counts = [int((batch["labels"] != -100).sum()) for batch in micro_batches]
        assert len(set(counts)) > odd.MICRO_BATCHES // 2 and min(counts) > 0
    assert (case.steps[0][0]["labels"][0] != -100).all()


def test_batches_pass_the_ends_of_two_cache_blocks_one_row_at_a_time():
    """A row is at the end of a block while others are not; one reaches the last position."""
    positions = cases_blocks.SHAPE.n_positions
    assert paddle_decoder._BLOCK == 64 and 2 * 64 < positions and positions % 64
    assert paddle_decoder._BLOCK % (cases_blocks.SHAPE.n_embd // cases_blocks.SHAPE.n_head)
    for lengths, decoding in cases_blocks.BATCHES.values():
        ends = [min(length + decoding.max_new_tokens, positions) for length in lengths]
        assert any(length < 64 * block < end for block in (1, 2)
                   for length, end in zip(lengths, ends, strict=True))
        assert len(set(lengths)) == len(lengths)
    assert len(cases_blocks.BATCHES["over 128, to the last position"][0]) > cases_blocks.ROWS


def test_forms_of_files_differ_as_their_names_say():
    files = torch_forms.written(cases.case("std_0.2"), "float32")
    names = {form: {path.split("/")[1] for path in files if path.startswith(f"{form}/")}
             for form in cases_forms.FORMS}
    for form, own in names.items():
        shards = [name for name in own if name.startswith("model-0")]
        assert (len(shards) > 3) == ("shards" in form), form
        assert ("model.safetensors" in own) == (form == "shards beside a newer file"
                                                or "shards" not in form), form
    size = {form: len(files[f"{form}/model.safetensors"]) for form in cases_forms.FORMS
            if "model.safetensors" in names[form]}
    assert size["float64"] > 1.9 * size["one file"] > 3.6 * size["float16"]
    for form, wrapper in (("module.", b'"module.transformer.wte'), ("without a head", b'"wte.'),
                          ("the head in the embedding's place", b'"lm_head.weight"')):
        assert wrapper in files[f"{form}/model.safetensors"], form


@pytest.mark.parametrize("name", cases.CASES)
def test_answers_end_in_every_way(name):
    """By length, by an end token, and at stop strings of one and of two bytes."""
    trace = torch_serving.answers(cases.case(name), "float64")
    ended = {point.tensor.removesuffix(", whole"): value[:, 0] for point, value in trace.items()
             if point.phase == "ended" and point.tensor.endswith("whole")}
    for request in ("stop", "stop, pairs", "ends", "ends, not yet"):
        assert ended[request].any(), request
    for request in ("stop", "stop, not yet", "stop, pairs"):
        assert not ended[request].all(), request
    rows = [len(value) for value in ended.values()]
    assert max(rows) > cases_serving.ROWS > min(rows)


@pytest.mark.parametrize("name", cases.CASES)
def test_continuations_of_an_exported_model_end_in_both_ways(name):
    trace = torch_exporting.ids(cases.case(name), "float32")
    ended = np.concatenate([value[:, 0] for point, value in trace.items()
                            if point.phase == "ended" and "beams" not in point.tensor])
    assert ended.any() and not ended.all()
    lengths = [len(prompt) for prompt in cases_exporting.PROMPTS]
    assert len(set(lengths)) == len(lengths) - 1


def test_published_values_are_compared_with_both_sides():
    """A name of other people's values that no trace has would be compared with nothing."""
    case = cases.case("std_0.2")
    for rung in ladder.RUNGS:
        if rung.golden:
            for side in ("torch_side", "paddle_side"):
                assert rung.golden.keys() <= ladder.function(side, rung.function)(
                    case, "float64").keys()
    assert len(cases_text.MEGATRON_SAMPLES) == len(
        [name for name, (*_, options) in cases_text.VARIANTS.items() if "packing" not in options]
        + [*cases_text.ORDERS])
    assert len(cases_evaluation.LM_EVAL) == 6
