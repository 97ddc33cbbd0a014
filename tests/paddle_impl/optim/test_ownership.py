"""What each process holds: moments, gradients and weights, at every stage of sharding."""

import paddle
import pytest

from paddle_impl.objectives import causal_lm
from paddle_impl.optim.ownership import owners
from parity.paddle_side import meeting
from tests.paddle_impl.optim import sharding_job as job


def test_the_largest_goes_first_to_the_process_with_least():
    assert owners([5, 9, 4, 4], 2) == [1, 0, 1, 0]
    assert owners([1, 1, 1], 1) == [0, 0, 0]
    with pytest.raises(ValueError, match="--sharding_degree 3 is more than the 2 tensors"):
        owners([1, 1], 3)


def test_moments_exist_once():
    def work(ranks):
        model, optimizer = job.built(ranks, 1)
        job.one_step(ranks, model, optimizer, job.IDS[0], 0.01)
        names = {name for name in optimizer.rule.adamw.state_dict() if "moment1" in name}
        owned = {name for name, _ in optimizer.share.named_parameters()}
        return len(names), owned, {name for name, _ in model.named_parameters()}

    (count, owned, names), (other_count, others, _) = meeting.run(2, work, sharding=2)
    assert count == len(owned) and other_count == len(others)
    assert owned | others == names and not owned & others


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_who_has_gradients_and_weights_after_a_backward_pass(stage):
    def work(ranks):
        model, optimizer = job.built(ranks, stage)
        job.backward(ranks, model, job.IDS[0])
        found = {}
        for weight in optimizer.share.weights:
            here = weight.parameter._is_initialized()
            found[weight.name] = weight.grad is not None, here, weight.updated is not None
            assert stage == 1 or weight.parameter.grad is None
        optimizer.clear_grad()
        assert all(weight.grad is None for weight in optimizer.share.weights)
        assert all(parameter.grad is None for parameter in model.parameters())
        return found

    for found in meeting.run(2, work, sharding=2):
        assert {owned for _, _, owned in found.values()} == {True, False}
        for name, (has_gradient, here, owned) in found.items():
            assert has_gradient == (owned or stage == 1), name
            assert here == (owned or stage < 3 or ".h." not in name), name


def test_in_stage_3_a_process_holds_no_block_but_the_one_that_computes():
    """At every moment: what others own of the blocks that do not compute now is freed."""
    def work(ranks):
        model, optimizer = job.built(ranks, 3)
        shared = {weight.name for weight in optimizer.share.weights
                  if weight.updated is None and ".h." in weight.name}
        moments = []

        def look(moment, *blocks):
            held = {weight.name for weight in optimizer.share.weights
                    if weight.parameter._is_initialized()} & shared
            moments.append((moment, held, {name for name in shared for block in blocks
                                           if f".h.{block}." in name}))

        def watch(number):
            def begins(layer, inputs):
                look(f"block {number} begins", number)

            def ended(layer, inputs, outputs):
                look(f"block {number} has ended")
                if not outputs[0].stop_gradient:
                    outputs[0].register_hook(lambda _: look(f"back in block {number}", number))

            return begins, ended

        look("made")
        for number, block in enumerate(model.transformer.h):
            begins, ended = watch(number)
            block.register_forward_pre_hook(begins)
            block.register_forward_post_hook(ended)
        for step in range(2):
            loss, _ = causal_lm(model, job.batch(job.IDS[step, 0]))
            look("after the forward pass")
            loss.backward()
            look("after the backward pass")
            optimizer.reduce_gradients()
            optimizer.clip_gradients(0.5)
            optimizer.step()
            optimizer.clear_grad()
            look("between two steps")
            with paddle.no_grad():
                causal_lm(model, job.batch(job.IDS[step, 0]))
            look("after an evaluation")
            with optimizer.without_sharding():
                look("while each process computes alone", 0, 1)
            look("after that")
            optimizer.weights()
            optimizer.state()
            look("after a checkpoint")
        return shared, moments

    for shared, moments in meeting.run(2, work, sharding=2):
        assert {name.split(".")[2] for name in shared} == {"0", "1"}
        assert len(moments) == 1 + 2 * (7 + 2 + 2 + 2 + 4)
        for moment, held, expected in moments:
            assert held == expected, moment
