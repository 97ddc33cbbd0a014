"""Which runs a grid file means, and which files are refused before the first run."""


import pytest

UPSTREAM = {
    "per_gpu_train_batch_size": [2, 4, 8, 16], "hidden_dropout_prob": [0, .1, .2],
    "warmup_steps": [10, 20, 30], "weight_decay": [.1, .01, 0],
    "max_lr": [1e-4, 5e-4, 1e-3, 5e-3], "initial_lr": [5e-5, 1e-4],
    "min_lr": [5e-5, 1e-5, 1e-4], "num_epochs_train": [5, 10, 15, 20, 25],
}


@pytest.fixture
def f20(script):
    grid = script("sweeping.grid")
    return grid.read_grid(grid.preset("f20"), ["model_name_or_path=code-mini"])


def test_the_preset_is_the_whole_grid_of_the_source(f20, script):
    points = script("sweeping.points").grid_points(f20, None, 0)
    assert len(points) == 12_960
    assert len({f20.command.hash_of(point) for point in points}) == 12_960
    for name, values in UPSTREAM.items():
        assert {point[name] for point in points} == set(values), name
    assert all(point["hidden_dropout_prob"] == point["attention_probs_dropout_prob"]
               and point["scheduler"] == "llms_from_scratch" for point in points)
    refused = [f20.command.refusal(point) for point in points[::97]]
    assert len(refused) > 100 and set(refused) == {None}


def test_a_sample_has_distinct_points_and_grows_in_order(f20, script):
    points = script("sweeping.points")
    names = [f20.command.hash_of(point) for point in points.grid_points(f20, 400, 7)]
    assert len(set(names)) == 400
    assert names[:50] == [f20.command.hash_of(one) for one in points.grid_points(f20, 50, 7)]
    assert names[:50] != [f20.command.hash_of(one) for one in points.grid_points(f20, 50, 8)]
    every = {f20.command.hash_of(one) for one in points.grid_points(f20, None, 0)}
    assert set(names) < every
    assert len(points.grid_points(f20, 20_000, 0)) == 12_960


def test_a_task_has_flags_of_its_own(script, grid_file):
    grid = script("sweeping.grid")
    found = grid.read_grid(grid_file({"lora_dim": [2, 4], "label_smooth": [0.0, 0.1]},
                                     command="run_finetune.py", flags={"task": "e2e"}))
    assert found.command.refusal(
        {"task": "e2e", "train_data": "a", "valid_data": "b", "init_from": "c", "max_epoch": 1,
         "label_smooth": 0.1, "lora_dim": 4}) is None
    with pytest.raises(ValueError, match="run_finetune.py has no flag label_smooth"):
        grid.read_grid(grid_file({"label_smooth": [0.1]}, command="run_finetune.py"))
    with pytest.raises(ValueError, match="run_finetune.py has no flag dataset_name"):
        grid.read_grid(grid_file({"dataset_name": ["a"]}, command="run_finetune.py"), ["task=e2e"])


def test_flags_that_the_command_lacks_are_all_named(script, grid_file):
    grid = script("sweeping.grid")
    with pytest.raises(ValueError, match=r"run_stand_in.py has no flag widht \(the nearest one is "
                                         r"width\), lrr \(the nearest one is lr\); --without"):
        grid.read_grid(grid_file({"lrr": [1]}, flags={"widht": 3}))


def test_the_command_line_wins_and_fixes_a_parameter(script, grid_file):
    grid, points = script("sweeping.grid"), script("sweeping.points")
    path = grid_file({"lr": [1, 2], "width": [1, 2, 3]}, flags={"go": "there"})
    found = grid.read_grid(path, ["lr=0.5", "go=7"])
    assert points.grid_points(found, None, 0) == [
        {"go": "7", "lr": 0.5, "width": width} for width in (1, 2, 3)]
    found = grid.read_grid(path, ['names=["a", "b"]'], without=["width"])
    assert points.grid_points(found, None, 0) == [
        {"go": "there", "names": ["a", "b"], "lr": lr} for lr in (1.0, 2.0)]


def test_one_parameter_may_set_two_flags(script, grid_file):
    grid, points = script("sweeping.grid"), script("sweeping.points")
    path = grid_file({"lr+width": [1, 2]})
    assert points.grid_points(grid.read_grid(path), None, 0) == [
        {"lr": 1.0, "width": 1}, {"lr": 2.0, "width": 2}]
    assert points.grid_points(grid.read_grid(path, ["lr=5"]), None, 0) == [
        {"lr": 5.0, "width": 1}, {"lr": 5.0, "width": 2}]


def test_a_run_is_its_settings_however_they_are_written(script, grid_file):
    grid, points = script("sweeping.grid"), script("sweeping.points")
    one = grid.read_grid(grid_file({"lr": [1], "width": [2]}))
    other = grid.read_grid(grid_file({"width": [2], "lr": [1.0]}))
    (first,), (second,) = (points.grid_points(found, None, 0) for found in (one, other))
    assert one.command.hash_of(first) == other.command.hash_of(second)
    assert one.command.hash_of(first) != one.command.hash_of(first | {"width": 3})


def test_another_name_of_a_flag_is_the_flag(script, grid_file):
    grid, points = script("sweeping.grid"), script("sweeping.points")
    found = grid.read_grid(grid_file({"breadth+lr": [1, 2]}))
    assert points.grid_points(found, None, 0) == [{"width": 1, "lr": 1.0}, {"width": 2, "lr": 2.0}]
    path = grid_file({"lr": [3], "width": [1, 2]}, flags={"breadth": 3})
    with pytest.raises(ValueError, match="width is there twice"):
        grid.read_grid(path)
    path = grid_file({"lr": [3], "width": [1, 2]})
    assert len(points.grid_points(grid.read_grid(path, ["breadth=7"]), None, 0)) == 1
    assert len(points.grid_points(grid.read_grid(path, without=["breadth"]), None, 0)) == 1


def test_random_points_stay_in_their_ranges(script, grid_file):
    grid, points = script("sweeping.grid"), script("sweeping.points")
    found = grid.read_grid(grid_file({
        "lr": {"low": 1e-4, "high": 1, "log": True}, "width": {"low": 1, "high": 3},
        "style": ["plain", "crash"]}))
    drawn = points.random_points(found, 300, 1)
    assert len({found.command.hash_of(one) for one in drawn}) == 300
    assert all(1e-4 <= one["lr"] <= 1 for one in drawn)
    assert {one["width"] for one in drawn} == {1, 2, 3}
    assert {one["style"] for one in drawn} == {"plain", "crash"}
    assert 90 < sum(one["lr"] < 1e-2 for one in drawn) < 210  # evenly on the logarithmic scale
    assert drawn[:10] == points.random_points(found, 10, 1)
    few = grid.read_grid(grid_file({"width": {"low": 1, "high": 3}}))
    assert sorted(one["width"] for one in points.random_points(few, 9, 0)) == [1, 2, 3]
    with pytest.raises(ValueError, match="lr is a range: give a list of values, or --sampler"):
        points.grid_points(found, None, 0)


@pytest.mark.parametrize(("parameters", "more", "told"), [
    ({}, {}, "no parameter is left to vary"),
    ({"lr": []}, {}, "lr is a list of 0, expected a list of values, or a range"),
    ({"lr": 3}, {}, "lr is 3, expected a list of values"),
    ({"lr": ["much"]}, {}, "lr: lr must be a number, got \"much\""),
    ({"width": [2.5]}, {}, "width must be a whole number, got 2.5"),
    ({"style": ["fast"]}, {}, "style must be one of plain, "),
    ({"lr": [1, 1.0]}, {}, "lr has the value 1.0 twice"),
    ({"lr": {"low": 2, "high": 1}}, {}, "low 2 must be below high 1"),
    ({"lr": {"low": 0, "high": 1, "log": True}}, {}, "must be below high 1, and positive with log"),
    ({"lr": {"low": 1, "hihg": 2}}, {}, "no hihg; the nearest one is high"),
    ({"lr": {"low": 1}}, {}, "high is missing"),
    ({"width": {"low": 1.5, "high": 2}}, {}, "width takes whole numbers"),
    ({"style": {"low": 1, "high": 2}}, {}, "style is a range, expected a list of values"),
    ({"lr": [1]}, {"flags": {"lr": 2}}, "lr is there twice"),
    ({"lr": [1], "lr+width": [2]}, {}, "lr is there twice"),
    ({"output_dir": ["a"]}, {}, "output_dir is given by the sweep itself"),
    ({"lr": [1]}, {"flag": {}}, "has no flag; the nearest one is flags"),
    ({"lr": [1]}, {"command": "run_nothing.py"}, "there is no command run_nothing.py; the project "
                                                 "has run_evaluation.py, "),
    ({"lr": [1]}, {"command": "run_generation.py"}, "has no flag --output_dir: it trains nothing"),
    ({"lr": [1]}, {"score": 3}, "score is 3, expected a text of one line"),
])
def test_what_is_no_grid_is_refused(parameters, more, told, script, grid_file):
    with pytest.raises(ValueError) as error:
        script("sweeping.grid").read_grid(grid_file(parameters, **more))
    assert told in str(error.value)


def test_unknown_presets_and_names_are_refused(script, grid_file):
    grid = script("sweeping.grid")
    with pytest.raises(ValueError, match="--preset f21 is none of f20"):
        grid.preset("f21")
    path = grid_file({"lr": [1], "width": [2]})
    with pytest.raises(ValueError, match="--without: no widht; the nearest one is width"):
        grid.read_grid(path, without=["widht"])
    with pytest.raises(ValueError, match="--set lr: expected NAME=VALUE"):
        grid.read_grid(path, ["lr"])
