"""microsoft/LoRA's beam search by paddle_impl's generate, the prompts of a model in one batch."""

from paddle_impl.generate import generate
from parity.cases import Case, e2e_beam
from parity.cases.decoding import points
from parity.compare import Trace
from parity.paddle_side import weights


def searched(case: Case, dtype: str) -> Trace:
    """The best continuation of each prompt and its score, by each decoder."""
    trace: Trace = {}
    for number, (own, prompts, decoding) in enumerate(e2e_beam.searches(case)):
        model = weights.build(own, dtype)
        for decoder in e2e_beam.DECODERS:
            found = generate(model, prompts, decoding, decoder=decoder, rows=20)
            for place, (best,) in enumerate(found):
                trace |= points(f"{decoder}: model {number}, prompt {place}", [best.token_ids],
                                [best.finish_reason == "eos"], [best.score])
    return trace
