"""BLEU and NIST of the E2E challenge; its records, padded to the longest of a batch."""

import json
import tempfile
from pathlib import Path

import numpy as np

from data_tools.e2e.records import E2ERecords
from paddle_impl.data.supervised import SupervisedLoader
from paddle_impl.evaluation.e2e.scores import of_ngrams
from paddle_impl.objectives import CAUSAL_LM, mean
from paddle_impl.training.measuring import to_tensors
from parity.cases import Case, e2e
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.backward import gradient_trace


def scored(case: Case, dtype: str) -> Trace:
    return {Point(0, "score", f"{metric}, {name}"): np.asarray(value)
            for name, corpus in e2e.corpora().items()
            for metric, value in of_ngrams(*corpus).items()}


def padded(case: Case, dtype: str) -> Trace:
    """Four micro batches of a step, each as long as its longest record; labels that are -100."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        path.write_text("".join(
            json.dumps({"context": context, "completion": completion}) + "\n"
            for context, completion in e2e.records(case)))
        for joint_lm in (False, True):
            records = E2ERecords(path, e2e.SEQ_LEN, joint_lm)
            loader = SupervisedLoader(records, e2e.PER_PASS, pad_id=0,
                                      accumulation_steps=e2e.ROWS // e2e.PER_PASS)
            model = weights.build(case, dtype)
            batches, loss = loader.step(0), 0.0
            assert len({batch["input_ids"].shape for batch in batches}) > 1
            weight = float(sum(map(CAUSAL_LM.weight, batches)))
            for batch in batches:
                part = mean(CAUSAL_LM.loss(model, to_tensors(batch))[0], weight)
                part.backward()
                loss += part.item()
            at = "jlm" if joint_lm else "clm"
            trace[Point(0, "loss", at)] = np.asarray(loss, dtype)
            trace |= {point._replace(tensor=f"{at}: {point.tensor}"): value
                      for point, value in gradient_trace(model).items()}
    return trace
