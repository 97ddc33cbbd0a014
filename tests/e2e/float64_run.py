"""run_pretrain.py in float64, which test_equivalence.py starts through a launcher."""

import sys

import run_pretrain
from paddle_impl.process import runtime

if __name__ == "__main__":
    config = run_pretrain.parse(sys.argv[1:])
    paddle = runtime.import_paddle(config.runtime.device)
    paddle.set_default_dtype("float64")
    from paddle_impl.pretraining import pretraining_run

    pretraining_run(config).train()
