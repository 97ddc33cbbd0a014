"""Classifiers: the loader's batches, the objective and the policies of fine-tuning."""

from functools import partial

import numpy as np
import paddle

from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.convert import hugging_face
from paddle_impl.evaluation.confusion import Confusion, accuracy, macro_f1
from paddle_impl.finetuning.class_loss import balancing_weights, classification
from paddle_impl.finetuning.classes import ClassLoader
from paddle_impl.finetuning.freezing import freeze
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.objectives import mean
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.training.measuring import measure, to_tensors
from parity.cases import Case, classes
from parity.cases.classes import Variant
from parity.compare import Point, Trace
from parity.paddle_side import meeting, weights


def passes(case: Case, dtype: str) -> Trace:
    """Logits of padded rows; loss and gradients of steps; measures of all texts."""
    case = case.without_dropout()
    trace = _padded(case, dtype)
    for name, variant in classes.VARIANTS.items():
        for processes, size in classes.SHARES.items():
            found, *_ = meeting.run(processes, partial(_of_process, case, dtype, variant, size))
            for index, (loss, gradients) in found.items():
                place = f"{processes}, {index}, {name}"
                trace[Point(0, "loss", f"{place}: loss")] = loss
                trace |= classes.gradients(gradients, place)
        trace |= _measured(case, dtype, variant, name)
    return trace


def _build(case: Case, dtype: str, variant: Variant) -> GPTForSequenceClassification:
    config = ClassifierConfig.of(
        case.config, labels=classes.LABELS, pad_token_id=classes.PAD, pooling=variant.pooling,
        score_bias=variant.bias, max_tokens=classes.WIDTH, pad_rows=variant.width is not None)
    with weights.default_dtype(dtype):
        model = GPTForSequenceClassification(config)
    hugging_face.load_weights(model, case.weights | classes.head(case, variant.bias))
    model.eval()
    return model


def _padded(case: Case, dtype: str) -> Trace:
    trace: Trace = {}
    model = _build(case, dtype, Variant())
    with paddle.no_grad():
        for layout in classes.LAYOUTS:
            ids, mask = map(paddle.to_tensor, classes.padded(case, layout))
            trace[Point(0, "logits", f"{layout}, masked")] = model(
                ids, attention_mask=mask).numpy()
            trace[Point(0, "logits", f"{layout}, by the padding token")] = model(ids).numpy()
    return trace


def _of_process(case: Case, dtype: str, variant: Variant, size: int, ranks: Ranks) -> dict:
    """Step -> its loss, and its gradients by the names of parameters."""
    data, made = ranks.data, _Texts(case)
    loader = ClassLoader(made, size, classes.PAD, accumulation_steps=3, rank=data.rank,
                         world_size=data.size, seed=classes.SEED, width=variant.width)
    objective = classification(_class_weights(made, variant))
    steps = {}
    for index in classes.STEPS:
        model = _build(case, dtype, variant)
        freeze(model, variant.policy)
        model.train()
        batches = loader.step(index)
        (weight,) = data.total(float(sum(map(objective.weight, batches))))
        total = 0.0
        for batch in batches:
            loss, _ = objective.loss(model, to_tensors(batch))
            total += float(loss)
            mean(loss, weight).backward()
        found = {}
        for key, parameter in reversed(list(model.named_parameters())):
            if not parameter.stop_gradient:
                gradient = parameter.grad
                data.all_reduce_([gradient])
                found[key] = gradient.numpy()
        (total,) = data.total(total)
        steps[index] = np.asarray(mean(total, weight)), found
    return steps


def _measured(case: Case, dtype: str, variant: Variant, name: str) -> Trace:
    """Loss without weights, confusion matrix, accuracy and macro F1 of all texts."""
    seen = Confusion(len(classes.LABELS))
    loader = ClassLoader(_Texts(case), 3, classes.PAD, width=variant.width)
    found = measure(_build(case, dtype, variant), classification(seen=seen), loader.first(99),
                    Ranks())
    assert np.isclose(found["accuracy"], accuracy(seen.counts))
    return {
        Point(0, "held-out loss", name): np.asarray(found["loss"]),
        Point(0, "chosen ids", f"{name}: confusion"): seen.counts,
        Point(0, "score", f"{name}: accuracy and macro F1"): np.array(
            [accuracy(seen.counts), macro_f1(seen.counts)]),
    }


def _class_weights(made: "_Texts", variant: Variant) -> np.ndarray | None:
    own = np.array([own for _, own in made])
    return balancing_weights(own, len(classes.LABELS)) if variant.weighted else None


class _Texts(list):
    """The texts with the interface that the loader reads."""

    def __init__(self, case: Case):
        super().__init__(classes.texts(case))

    def read(self, number: int) -> tuple[np.ndarray, int]:
        return self[number]

    def describe(self, number: int) -> str:
        return f"text {number}"
