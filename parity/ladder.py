"""The ladder: the list of rungs, and the functions that run them.

A rung compares one part of the stack, from the tokenizer up to a whole training run. A new rung is
one function of the same name in torch_side and in paddle_side, one entry in RUNGS, and a row in
`tolerances` for each of its phases.
"""

import importlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

from paddle_impl.process.runtime import import_paddle
from parity import cases, workers
from parity.cases import Case, evaluation, preferences, schedules, text
from parity.compare import Place, Point, Result, Trace, compare
from parity.tolerances.checkpoint import rows_of

# The dtype that both sides compute in at each gate. The gates are run in this order.
GATES = {"D": "float32", "Z": "float32", "A": "float64", "B": "float32"}


@dataclass(frozen=True)
class Rung:
    """One part of the stack that both sides compute and `compare` compares.

    function: `module.name` in torch_side and in paddle_side: (case, dtype) -> Trace.
    gates: D equal bits, Z statistics of random draws, A float64, B float32.
    golden: published values, which both sides are compared with as well.
    handover: `module.name` in both sides: (case, dtype) -> dict. The other side finds the returned
    dict in `case.given`: files to open, or dropout masks to apply.
    checkpoint: the rung runs with a user's checkpoint too.
    """

    name: str
    title: str
    function: str
    gates: str = "AB"
    golden: Trace = field(default_factory=dict)
    handover: str = ""
    checkpoint: bool = False


RUNGS = (
    Rung("tokenizer", "ids of texts and prompts", "tokenizer.ids", "D"),
    Rung("vocabulary", "tokenizers opened by the other side", "tokenizer.opened", "D",
         handover="tokenizer.written"),
    Rung("corpus", "a folder of files to token files", "tokenizer.corpus", "D"),
    Rung("fim", "fill-in-the-middle documents", "infilling.documents", "D"),
    Rung("order", "token files to the batches of a rank", "order.batches", "D",
         cases.SPLIT_BOUNDS | text.MEGATRON_SAMPLES),
    Rung("weights", "weights HF -> ours -> HF, bit for bit", "weights.round_trip", "D",
         checkpoint=True),
    Rung("refusals", "damaged checkpoints are refused", "weights.refusals", "D"),
    Rung("inputs", "invalid ids and lengths are refused", "inputs.refusals", "D"),
    Rung("initial", "statistics of initial weights", "weights.initial", "Z"),
    Rung("hidden", "output of every layer", "forward.hidden_states", checkpoint=True),
    Rung("logits", "logits, and the token they choose", "forward.logits", checkpoint=True),
    Rung("loss", "masked mean loss", "forward.loss", checkpoint=True),
    Rung("extremes", "functions at inf, NaN, 1e4, denormals", "extremes.functions", "DA"),
    Rung("numbers", "a weight that is NaN is never scored", "extremes.refused", "D"),
    Rung("gradients", "gradient of every parameter", "backward.gradients", checkpoint=True),
    Rung("rows", "rows that are packed, or padded on a side", "rows.passes"),
    Rung("clip", "gradient norm and clipped gradients", "backward.clipped_gradients"),
    Rung("dropout", "gradients under shared dropout masks", "dropout.masked_step",
         handover="dropout.masks"),
    Rung("masked", "dropout on split, recomputed ranks", "dropout.trained", "A",
         handover="dropout.masks_of_run"),
    Rung("draws", "statistics of the dropout masks", "dropout.draws", "Z"),
    Rung("schedule", "learning rate of every step", "schedule.learning_rates", "A",
         cases.GOLDEN_RATES),
    Rung("schedules", "schedules by their names", "schedule.by_name", "A", schedules.GOLDEN),
    Rung("validation", "validation loss during training", "evaluation.mean_loss"),
    Rung("evaluation", "held-out documents, strided windows", "evaluation.code_length"),
    Rung("metrics", "perplexity, accuracy, bits per byte", "metrics.reported"),
    Rung("counted", "measures of counts, by lm-eval's code", "metrics.of_counts", "A",
         evaluation.LM_EVAL),
    Rung("wikitext", "WikiText: word and token perplexities", "evaluation.wikitext"),
    Rung("lambada", "LAMBADA: last words predicted greedily", "evaluation.last_words"),
    Rung("scored", "E2E: BLEU and NIST of outputs", "e2e.scored", "A"),
    Rung("cache", "logits with and without the KV cache", "generation.cached_logits"),
    Rung("scaled", "attention scores divided by the layer", "scaled.logits", "A",
         handover="scaled.written"),
    Rung("filters", "temperature, top-k, top-p, the draw", "generation.filters", "A"),
    Rung("greedy", "greedy continuations, token by token", "generation.greedy"),
    Rung("sampled", "sampled continuations, shared draws", "generation.sampled"),
    Rung("export", "continuations by an exported model", "generation.exported", "B"),
    Rung("batches", "batches of prompts by an exported model", "exporting.ids", "D"),
    Rung("many", "200 tiny models, batches of prompts", "decoding.many", "A"),
    Rung("stops", "stop strings", "decoding.stopped", "A"),
    Rung("answers", "the completion server's answers", "serving.answers", "A"),
    Rung("infilled", "gaps: their prompts and their middles", "infilling.middles", "A"),
    Rung("beam", "beam search of the 200 tiny models", "decoding.beam", "A"),
    Rung("beams", "PaddleNLP's and LoRA's beam search", "decoding.other_beams", "A"),
    Rung("recipe", "beam search by the recipe for E2E", "e2e_beam.searched", "A"),
    Rung("blocks", "batches over the ends of cache blocks", "decoding.blocks", "A"),
    Rung("training", "AdamW steps of the trainer", "training.steps", checkpoint=True),
    Rung("frozen", "training with frozen parameters", "frozen.steps"),
    Rung("completion", "fine-tuning on examples, padded", "supervised.completion", "A"),
    Rung("keyed", "samples weighted by their key tokens", "supervised.keyed", "A"),
    Rung("smoothed", "label smoothing, and its gradients", "e2e_training.smoothed", "A"),
    Rung("preferred", "losses of preference pairs", "preferences.losses", "A",
         preferences.GOLDEN),
    Rung("aligned", "AdamW steps on preference pairs", "preferences.steps", "A"),
    Rung("classified", "classifiers: poolings, weights, policies", "classes.passes", "A"),
    Rung("legacy", "steps of the legacy AdamW", "e2e_training.legacy", "A"),
    Rung("cycle", "microsoft/LoRA's schedules", "e2e_training.rates", "A"),
    Rung("padded", "E2E records, padded to the batch or to 512", "e2e.padded", "A"),
    Rung("instructed", "instruction tuning: ids, masks, gradients", "instructions.learned", "A"),
    Rung("packed", "instructions packed into rows", "instructions.packed", "A"),
    Rung("grown", "rows for new tokens, and a step with them", "growth.vocabulary"),
    Rung("lora", "adapters: passes, gradients, merged", "lora.passes", "A"),
    Rung("adapted", "AdamW steps of adapters", "lora.steps", "A"),
    Rung("adapters", "adapters opened by the other side", "lora.opened", "D",
         handover="lora.written"),
    Rung("odd", "a model without round sizes", "training.odd_steps"),
    Rung("files", "checkpoints opened by the other side", "files.opened", "D",
         handover="files.written"),
    Rung("forms", "types, shards and names of others' files", "forms.logits",
         handover="forms.written"),
    Rung("foreign", "config.json of another model is refused", "files.foreign", "D"),
    Rung("newest", "the checkpoint that a run resumes from", "files.newest", "D"),
    Rung("resume", "training, stopped and resumed", "resume.steps"),
    Rung("repeat", "resumed with dropout, bit for bit", "resume.with_dropout", "D"),
    Rung("ranks", "training on two data parallel ranks", "ranks.steps"),
    Rung("sharded", "optimizer state sharded over two ranks", "ranks.sharded"),
    Rung("split", "training on two tensor parallel ranks", "ranks.split"),
    Rung("grid", "sharding x tensor parallel x recompute", "ranks.grid"),
    Rung("stage2", "gradients sharded in six ranks", "ranks.stage_2", "A"),
    Rung("stage3", "blocks' weights sharded x tensor parallel", "ranks.stage_3", "A"),
    Rung("moved", "resumed in other numbers of ranks", "ranks.moved", "A"),
    Rung("masters", "master weights (O2), sharded over two ranks", "masters.steps", "A"),
    Rung("scaler", "loss scaling when gradients overflow", "scaler.steps"),
    Rung("settings", "a run's dropout rates and random seed", "run.settings", "D"),
    Rung("rates", "learning rates by a run's flags", "run.rates", "A"),
    Rung("progress", "what a resumed run goes on counting", "run.progress", "D"),
    Rung("run", "run_pretrain: files in, checkpoint out", "run.pretraining"),
)

# Of a user's adapter on a user's checkpoint, instead of the others.
ADAPTER = Rung("adapter", "a base with an adapter, and merged", "adapter.logits")


def climb(
    names: Sequence[str] | None = None,
    on: Sequence[Case] | None = None,
    gates: str = "".join(GATES),
    began: Callable[[Place, str], None] = lambda place, side: None,
    rungs: Sequence[Rung] = RUNGS,
) -> Iterator[tuple[Rung, list[Result]]]:
    """Run the rungs one by one and yield each with its results on every case.

    names: the rungs to run; None for all. on: the cases; None for all fixtures.
    began: called before each side computes a user's checkpoint, which may take minutes.
    """
    on = [cases.case(name) for name in cases.CASES] if on is None else on
    for rung in rungs:
        if (names is None or rung.name in names) and set(rung.gates) & set(gates):
            yield rung, [result for case in on for result in _stand(rung, case, gates, began)]


def climb_together(
    names: Sequence[str] | None, processes: int
) -> Iterator[tuple[Rung, list[Result]]]:
    """The same as `climb(names)`, in the same order, computed in several processes."""
    chosen = [rung for rung in RUNGS if names is None or rung.name in names]
    with workers.pool(min(processes, len(chosen))) as pool:
        waiting = [pool.submit(_results, rung.name) for rung in chosen]
        for rung, done in zip(chosen, waiting, strict=True):
            yield rung, done.result()


def _results(name: str) -> list[Result]:
    import_paddle("cpu")
    ((_, results),) = climb([name])
    return results


def _stand(rung: Rung, case: Case, gates: str, began) -> Iterator[Result]:
    truth: Trace | None = None
    rows = rows_of(case.directory)
    for gate, dtype in GATES.items():
        if gate not in rung.gates or gate not in gates:
            continue
        place = Place(rung.name, case.name, gate)
        tell = partial(began, place) if case.directory is not None else lambda side: None
        for_torch, for_paddle = case, case
        if rung.handover:
            try:
                for_torch = replace(case, given=_given("paddle_side", rung.handover, case, dtype))
            except Exception as error:
                yield _raised(place, error)
                continue
            for_paddle = replace(case, given=_given("torch_side", rung.handover, case, dtype))
        tell("PyTorch")
        try:
            reference = _torch(rung.function, for_torch, dtype)
            if gate == "A":
                truth = reference  # reused at gate B, unless the rung has a handover
            if gate == "B" and (truth is None or rung.handover):
                truth = _torch(rung.function, for_torch, "float64")
        except Exception as error:
            if not rung.handover:
                raise
            yield _raised(place, error)  # torch cannot open the file or apply the mask
            continue
        tell("Paddle")
        try:
            got = function("paddle_side", rung.function)(for_paddle, dtype)
        except Exception as error:  # the reference computed it, so this is a divergence
            yield _raised(place, error)
            continue
        yield from compare(place, reference, got, truth if gate == "B" else None, rows)
        yield from _against_golden(rung, place, reference, got)
        del reference, got  # a checkpoint's gradients are too large to keep during the next gate


def _against_golden(rung: Rung, place: Place, reference: Trace, got: Trace) -> Iterator[Result]:
    for side, trace in (("torch", reference), ("Paddle", got)) if rung.golden else ():
        known = {point: trace[point] for point in rung.golden if point in trace}
        yield from compare(place._replace(case=f"{side} against golden values"), rung.golden, known)


def _raised(place: Place, error: Exception) -> Result:
    at = traceback.extract_tb(error.__traceback__)[-1]
    note = f"raised {error!r} at {at.filename}:{at.lineno}"
    return Result(place, Point(0, "exception", "-"), float("inf"), note=note)


def _given(side: str, path: str, case: Case, dtype: str) -> dict:
    return function(side, path)(case, dtype)


def _torch(path: str, case: Case, dtype: str) -> Trace:
    """The reference's trace; a fixture's is cached for the next gate and the next mutant."""
    if case.given or case.name not in cases.CASES:
        return function("torch_side", path)(case, dtype)
    return _kept(path, case.name, dtype)


@cache
def _kept(path: str, case_name: str, dtype: str) -> Trace:
    return function("torch_side", path)(cases.case(case_name), dtype)


def function(side: str, path: str) -> Callable:
    # Imported when called, so that --list loads neither framework.
    module, _, name = path.partition(".")
    return getattr(importlib.import_module(f"parity.{side}.{module}"), name)
