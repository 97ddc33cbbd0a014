"""A model whose logits are given by a table."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest


class Given(paddle.nn.Layer):
    """A model whose logits after token i are row i of a table."""

    def __init__(self, table, positions: int = 8):
        super().__init__()
        self.table = paddle.to_tensor(np.asarray(table, np.float32))  # (V, V)
        self.config = SimpleNamespace(vocab_size=len(table), n_positions=positions, n_head=1,
                                      inner=1)
        self.shapes: list[list[int]] = []

    def transformer(self, input_ids):
        self.shapes.append(input_ids.shape)
        return paddle.nn.functional.one_hot(input_ids, self.config.vocab_size)

    def head(self, hidden):
        return paddle.matmul(hidden, self.table)


@pytest.fixture
def given():
    return Given


@pytest.fixture
def counting(given):
    """Ids 0 to 4: after i come i + 1 with weight 4, i with 2 and the others with 1; no end."""
    table = np.zeros((5, 5))
    for i in range(5):
        table[i, i], table[i, (i + 1) % 5] = np.log(2.0), np.log(4.0)
    return given(table)  # the weights of each row sum to 9
