"""The gradient norm, and clipping by it, in one process and where each has a share."""

from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from paddle_impl.optim.clip import NormReduction, clip_grad_norm
from parity.paddle_side import meeting


def parameter(grad) -> paddle.Tensor:
    tensor = paddle.create_parameter(list(np.shape(grad)), "float32")
    (tensor * paddle.to_tensor(np.asarray(grad, np.float32))).sum().backward()
    return tensor


def test_clip_scales_by_the_norm_plus_a_millionth():
    tensors = [parameter([3.0]), parameter([[4.0, 0.0]])]
    assert clip_grad_norm(tensors, 1.0) == pytest.approx(5.0)
    assert tensors[0].grad.item() == pytest.approx(3.0 / (5.0 + 1e-6), rel=1e-7)


def test_a_small_gradient_is_left_alone():
    tensor = parameter([0.3, 0.4])
    assert clip_grad_norm([tensor], 1.0) == pytest.approx(0.5)
    np.testing.assert_array_equal(tensor.grad.numpy(), np.float32([0.3, 0.4]))


def test_zero_only_measures():
    tensor = parameter([30.0, 40.0])
    assert clip_grad_norm([tensor], 0.0) == pytest.approx(50.0)
    np.testing.assert_array_equal(tensor.grad.numpy(), np.float32([30, 40]))


def test_the_norm_of_a_large_tensor_is_right_in_float32():
    """Paddle's own p_norm adds element by element and is 0.1 % short at this size."""
    values = np.random.default_rng(0).standard_normal(2_400_000).astype(np.float32)
    expected = np.sqrt(np.sum(values.astype(np.float64) ** 2))
    assert clip_grad_norm([parameter(values)], 0.0) == pytest.approx(expected, rel=1e-6)


def test_half_precision_gradients_are_squared_in_float32():
    """float16 ends at 65504: the square of 300 is infinite there."""
    weight = SimpleNamespace(grad=paddle.to_tensor([300.0, 400.0]).astype("float16"))
    assert clip_grad_norm([weight], 0.0) == pytest.approx(500.0)


def test_squares_of_shares_are_summed_and_of_copies_counted_once():
    """Each of two processes has a 3 of the split tensor and the same 4; the last has no gradient.

    Clipped by the norm of (3, 3, 4), not of what a process has.
    """
    def work(ranks):
        parameters = [parameter([3.0]), parameter([4.0]), SimpleNamespace(grad=None)]
        reduction = NormReduction((True, False, False), model=ranks.model)
        norm = clip_grad_norm(parameters, 1.0, reduction)
        return norm, parameters[0].grad.item(), parameters[1].grad.item()

    norm = 34**0.5
    for got in meeting.run(2, work, model=2):
        assert got == pytest.approx((norm, 3 / norm, 4 / norm), rel=1e-6)


def test_squares_that_one_owner_has_reach_all():
    """The norm of (3, 4) where one process holds the 3 and the other the 4."""
    def work(ranks):
        parameters = [parameter([3.0]), parameter([4.0])]
        parameters[1 - ranks.data.rank] = SimpleNamespace(grad=None)
        return clip_grad_norm(parameters, 0.0, NormReduction((False, False), owners=ranks.sharding))

    assert meeting.run(2, work, sharding=2) == [5.0, 5.0]


def test_an_infinite_share_makes_every_norm_infinite():
    """Or one process would step and the other not."""
    def work(ranks):
        parameters = [parameter([np.inf if ranks.world.rank else 1.0]), parameter([1.0])]
        return clip_grad_norm(parameters, 1.0, NormReduction((True, False), model=ranks.model))

    assert meeting.run(2, work, model=2) == [np.inf, np.inf]


def test_without_a_gradient_the_norm_is_zero():
    assert clip_grad_norm([SimpleNamespace(grad=None)], 1.0) == 0.0
