"""Classes that --model_class names in the tests: some are trained, the others are refused."""

import numpy as np
import paddle
from paddle import nn

from paddle_impl.model import GPTForCausalLM


class Same(GPTForCausalLM):
    pass


class Scaled(GPTForCausalLM):
    """GPT-2 with a factor on its logits, which is trained too."""

    def __init__(self, config):
        super().__init__(config)
        self.gain = self.create_parameter([1])

    def forward(self, input_ids, cache=None, **rows):
        return super().forward(input_ids, cache, **rows) * (1.0 + self.gain)


class Mean(nn.Layer):
    """Written from scratch: the mean of all tokens so far, through two matrices."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size)

    def forward(self, input_ids):
        x = self.drop(self.wte(input_ids)).cumsum(1)
        counts = paddle.arange(1, x.shape[1] + 1, dtype="int64").reshape([1, -1, 1])
        return self.lm_head(x / counts.astype(x.dtype))

    def initialize(self, seed):
        stream = np.random.default_rng(seed)
        for parameter in self.parameters():
            values = 0.1 * stream.standard_normal(parameter.shape)
            parameter.set_value(values.astype("float32"))


class Lacking(nn.Layer):
    def __init__(self, config):
        super().__init__()


class NoConfig(Mean):
    def __init__(self, config):
        super().__init__(config)
        self.config = None


class Anticausal(Mean):
    def forward(self, input_ids):
        return super().forward(input_ids.flip(1)).flip(1)


class Narrow(Mean):
    def forward(self, input_ids):
        return super().forward(input_ids)[:, :, 1:]


class Pair(Mean):
    def forward(self, input_ids):
        return super().forward(input_ids), None


class Failing(Mean):
    def forward(self, input_ids):
        raise RuntimeError("no such\nkernel")


class Buffered(Mean):
    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("steps", paddle.zeros([1]))


class Other(Mean):
    def __init__(self, config, depth):
        super().__init__(config)


class Bare(nn.Layer):
    def __init__(self, config):
        super().__init__()
        self.config = config

    def forward(self, input_ids):
        return input_ids

    initialize = forward


class Plain:
    pass


def function(config):
    return Mean(config)
