"""Which folders of an output_dir are checkpoints."""

import os
import shutil

from paddle_impl import checkpoint
from paddle_impl.checkpoint import directory
from paddle_impl.checkpoint.names import step_of
from tests.paddle_impl.checkpoint.low_rank import saved

OTHER_NAMES = ["model_3_keep", "model_03", "model_3.bak", "Model_3", "my_model_3", "model_3 ",
               "model_", "model_\u0663", "model_-3", "model_+3", "model_3\n"]


def test_only_model_and_digits_is_a_checkpoint(base, tmp_path):
    """Another name is neither listed, nor the newest, nor removed, also in best."""
    model, run = checkpoint.load_model(base), tmp_path / "run"
    for output in (run, run / "best"):
        source, _ = saved(output, model)
        for name in OTHER_NAMES:
            shutil.copytree(source, output / name)
        saved(output, model, step=4)
        directory.drop_older(output, 4, keep=1)
        assert checkpoint.checkpoints(output) == {4: output / "model_4"}
        assert checkpoint.newest(output) == output / "model_4"
    (run / "model_4" / "config.json").write_text("{")
    assert checkpoint.make_way(run, 0) == [f"{run}/model_4 is set aside as damaged_model_4"]
    assert sorted(os.listdir(run)) == sorted([*OTHER_NAMES, "best", "damaged_model_4"])
    assert sorted(os.listdir(run / "best")) == sorted(OTHER_NAMES)
    shutil.rmtree(run / "best")
    assert checkpoint.newest(run) is None


def test_a_name_has_one_step():
    assert [step_of(f"model_{step}") for step in (0, 3, 10, 10**20)] == [0, 3, 10, 10**20]
    assert {step_of(name) for name in OTHER_NAMES} == {None}
