"""run_pretrain.py in float64: what a launcher starts in test_equivalence.py."""

import sys

import args
from paddle_impl.process import runtime

if __name__ == "__main__":
    config = args.parse_pretrain(sys.argv[1:])
    paddle = runtime.import_paddle(config.device)
    paddle.set_default_dtype("float64")
    from paddle_impl.pretraining import PretrainingRun

    PretrainingRun(config).train()
