"""Groups of flags: how a command declares them, changes defaults, and builds its options."""

from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path

import pytest

import args
from data_tools.options import Options, changed, flag, group, require


@dataclass(frozen=True, kw_only=True)
class Size(Options):
    width: int = flag(help="columns")
    height: int | None = flag(3, "rows")
    unit: str = flag("cm", "of both", choices=("cm", "mm", "inch"), aliases=("-u",))

    def __post_init__(self):
        require(self.width > 0, f"--width must be positive, got {self.width}")


@dataclass(frozen=True, kw_only=True)
class Frame(Options):
    size: Size = group(
        Size, only=("width", "height"), unit="mm",
        height=changed(None, "any rows", aliases=("--rows", "-r")))
    colours: list[str] | None = flag(None, "of the frame")


@dataclass(frozen=True, kw_only=True)
class Picture(Options):
    source: str = flag(help="what is drawn", positional=True)
    frame: Frame = group(Frame, width=changed(help="columns of the frame"))
    label: str = flag("", "below it")


def test_a_command_shows_the_flags_of_its_groups():
    found = {one.name: one for one in Picture.flags()}
    assert list(found) == ["source", "width", "height", "colours", "label"]
    assert found["width"].path == ("frame", "size", "width")
    assert (found["width"].required, found["width"].help) == (True, "columns of the frame")
    assert (found["height"].default, found["height"].help) == (None, "any rows")
    assert (found["colours"].type, found["colours"].many) == (str, True)
    assert next(one for one in Size.flags() if one.name == "height").default == 3


def test_a_hidden_flag_has_the_command_s_value():
    picture = Picture.of(source="x", width=4)
    assert (picture.frame.size.unit, picture.frame.size.height) == ("mm", None)
    with pytest.raises(TypeError, match="Picture has no flag unit"):
        Picture.of(source="x", width=4, unit="cm")


def test_the_group_checks_what_the_command_is_given():
    with pytest.raises(ValueError, match="--width must be positive, got -1"):
        Picture.of(source="x", width=-1)


def test_flat_and_of_are_inverses():
    picture = Picture.of(source="x", width=4, colours=["red"])
    assert picture.flat() == {
        "source": "x", "width": 4, "height": None, "colours": ["red"], "label": ""}
    assert Picture.of(**picture.flat()) == picture
    assert picture.given() == ["source", "width", "colours"]
    with pytest.raises(FrozenInstanceError):
        picture.label = "y"


def test_groups_may_be_handed_over_whole():
    frame = Frame(size=Size(width=4, unit="inch"))
    assert Picture(source="x", frame=frame).frame.size.unit == "inch"
    with pytest.raises(TypeError, match="width"):
        Picture(source="x")


def test_mistakes_of_a_command_are_seen_when_it_is_declared():
    with pytest.raises(AssertionError, match="Size has only"):
        group(Size, depth=1)
    with pytest.raises(AssertionError, match="hides a required flag"):
        dataclass(frozen=True)(type("Bad", (Options,), {
            "__annotations__": {"size": Size}, "size": group(Size, only=("unit",))})).flags()
    with pytest.raises(AssertionError, match="has a flag twice"):
        dataclass(frozen=True, kw_only=True)(type("Twice", (Options,), {
            "__annotations__": {"one": Size, "other": Size}, "one": group(Size),
            "other": group(Size)})).flags()


@pytest.mark.parametrize("name", ["height", "rows", "r"])
def test_a_flag_may_have_several_names(tmp_path, name):
    expected = Picture.of(source="a.png", width=4, height=2)
    assert Picture.from_python(source="a.png", width=4, **{name: 2}) == expected
    hyphens = "-" if len(name) == 1 else "--"
    words = ["a.png", "--width", "4", f"{hyphens}{name}", "2"]
    assert args.parse(Picture, "draw", "Draw.", words) == expected
    file = tmp_path / "flags.json"
    file.write_text(f'{{"width": 4, "{name}": 2}}')
    assert args.parse(Picture, "draw", "Draw.", [str(file), "a.png"]) == expected


def test_two_names_of_one_flag_are_refused():
    with pytest.raises(ValueError, match="height and rows are names of one flag"):
        Picture.from_python(source="a.png", width=4, height=2, rows=3)


def test_a_command_line_with_an_argument_without_a_name(tmp_path, capsys):
    expected = Picture.of(source="a.png", width=4)
    assert args.parse(Picture, "draw", "Draw.", ["a.png", "--width", "4"]) == expected
    assert args.parse(Picture, "draw", "Draw.", ["--width", "4", "a.png"]) == expected
    file = tmp_path / "flags.json"
    file.write_text('{"width": 4}')
    assert args.parse(Picture, "draw", "Draw.", [str(file), "a.png"]) == expected
    file.write_text('{"width": 4, "source": "a.png"}')
    assert args.parse(Picture, "draw", "Draw.", [str(file)]) == expected
    other = args.parse(Picture, "draw", "Draw.", [str(file), "b.png"])
    assert other.source == "b.png"
    with pytest.raises(SystemExit):
        args.parse(Picture, "draw", "Draw.", [])
    assert "required: SOURCE, --width" in capsys.readouterr().err


def test_help_has_a_title_for_each_group(capsys):
    with pytest.raises(SystemExit):
        args.parse(Picture, "draw", "Draw.", ["--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: draw [FILE] SOURCE --width INT [--FLAG VALUE ...]\n")
    assert "\nframe size:\n  --width INT" in shown and "\nframe:\n  --colours STR" in shown
    assert "any rows\n" in shown and "(default: None)" not in shown


@pytest.mark.parametrize(("values", "told"), [
    ({}, "source is required: what is drawn"),
    ({"source": "x"}, "width is required: columns of the frame"),
    ({"source": "x", "widht": 4}, "there is no flag widht; the nearest one is width"),
    ({"source": "x", "width": "4"}, 'width must be a whole number, got "4"'),
    ({"source": "x", "width": True}, "width must be a whole number, got true"),
    ({"source": 3, "width": 4}, "source must be text, got 3"),
    ({"source": "x", "width": 4, "colours": "red"}, 'colours must be a list, got "red"'),
    ({"source": "x", "width": -1}, "--width must be positive, got -1"),
])
def test_values_from_python_are_checked(values, told):
    with pytest.raises(ValueError) as raised:
        Picture.from_python(**values)
    assert str(raised.value).startswith(told)


def test_a_path_from_python_is_text():
    picture = Picture.from_python(source=Path("a/b"), width=4, colours=["red"])
    assert picture == Picture.of(source="a/b", width=4, colours=["red"])
