"""Which folder ("room") may import which; a failure has one line for each wrong import.

Flags are declared with data_tools/options.py in data_tools and in paddle_impl/config alike, and
fields of JSON files are checked with data_tools/json_fields.py. paddle_impl/config imports the one
in its options.py and the other in its model.py, and nothing else of the project: data_tools may not
import paddle_impl, and paddle_impl may not import args. args.py imports nothing of the
project, for each command hands it a class of flags; so the commands of data_tools may import it.
"""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = {
    "paddle", "torch", "transformers", "peft", "loralib", "visualdl", "paddlenlp", "tensorboardX",
    "wandb",
}

# room -> top-level or dotted names it must never import
FORBIDDEN = {
    "data_tools": {*FRAMEWORKS, "paddle_impl", "parity"},
    "paddle_impl": {"torch", "transformers", "peft", "loralib", "args", "parity"},
    "paddle_gpt.py": {*FRAMEWORKS, "numpy", "args", "data_tools", "paddle_impl", "parity"},
    "parity/torch_side": {"paddle", "parity.paddle_side", "data_tools"},
    "parity/paddle_side": {"torch", "transformers", "peft", "loralib", "parity.torch_side"},
}
ENTRY_POINTS = {*FRAMEWORKS, "parity", "numpy"} - {"paddle"}
# What `python -m` starts; the rest of data_tools never imports args.
DATA_COMMANDS = ("convert", "create_classification_data", "create_code_records",
                 "create_completion_data", "create_e2e_data", "create_pretraining_data",
                 "decode_e2e", "inspect", "merge", "synthesize")
PARITY_CORE = ("cases", "compare", "statistics", "tolerances", "report")


COMPILED = {"data_tools.index_helper._core", "data_tools.index_helper._samples",
            "paddle_impl.kernels._decode"}

# The floors of paddle_impl, lowest first: a room imports from its own floor's room and from below.
FLOORS = (
    "config", "process", "parallel", "kernels", "layers", "model", "heads", "data",
    "objectives", "key_tokens", "optim", "convert", "checkpoint", "lora", "decoding", "generate",
    "text", "tracking", "training", "evaluation", "export", "serving", "pretraining", "finetuning",
    "notebook", "merge_adapter",
)


def imported(path: Path) -> set[str]:
    """Every dotted name the file imports, at any depth, with its parents."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {
        ".".join(name.split(".")[: i + 1]) for name in names for i in range(name.count(".") + 1)
    }


def loads(path: Path, modules: set[str]) -> set[str]:
    """Those of `modules` that the file needs when it is loaded: imports in functions come later."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                if inside in modules:
                    names.add(inside)
                elif inside not in COMPILED:
                    names.add(node.module)  # a name of the package's own
    return names & modules


def rules():
    for room, never in FORBIDDEN.items():
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            yield path, never
    for path in sorted(ROOT.glob("run_*.py")):
        yield path, ENTRY_POINTS
    commands = {ROOT / "data_tools" / f"{name}.py" for name in DATA_COMMANDS}
    for path in sorted(set((ROOT / "data_tools").rglob("*.py")) - commands):
        yield path, {"args"}
    for name in PARITY_CORE:
        for path in sorted([*ROOT.glob(f"parity/{name}.py"), *ROOT.glob(f"parity/{name}/*.py")]):
            yield path, {*FRAMEWORKS, "parity.torch_side", "parity.paddle_side"}


@pytest.mark.parametrize(
    ("path", "never"), list(rules()),
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else "",
)
def test_room_keeps_its_doors(path, never):
    assert not imported(path) & never


def outside(path: Path) -> set[str]:
    """The modules that the file imports from outside of the standard library."""
    return {name for name in imported(path) if name.split(".")[0] not in sys.stdlib_module_names}


def test_command_lines_need_the_standard_library_only():
    assert outside(ROOT / "args.py") == {"yaml"}  # in a function, for a file that needs it
    assert loads(ROOT / "args.py", {"yaml"}) == set()
    own = {"data_tools", "data_tools.flag_values"}
    assert outside(ROOT / "data_tools" / "options.py") == own
    assert outside(ROOT / "data_tools" / "flag_values.py") == set()
    assert outside(ROOT / "data_tools" / "json_fields.py") == set()


@pytest.mark.parametrize("path", sorted((ROOT / "paddle_impl" / "config").glob("*.py")),
                         ids=lambda path: path.name)
def test_flags_need_the_standard_library_only(path):
    module = {"options.py": "data_tools.options", "model.py": "data_tools.json_fields"}
    there = {"data_tools", module[path.name]} if path.name in module else set()
    own = ("paddle_impl.config.", *(f"{name}." for name in there - {"data_tools"}))
    assert {name for name in outside(path) if not f"{name}.".startswith(own)
            } <= {"paddle_impl", *there}
    assert there or not any(name.startswith("data_tools") for name in outside(path))


def rooms(names: set[str]) -> set[str]:
    """The rooms of paddle_impl that dotted names lie in."""
    return {parts[1] for name in names if (parts := name.split("."))[0] == "paddle_impl"
            and len(parts) > 1}


def test_the_floors_are_all_rooms_of_paddle_impl():
    there = {path.stem for path in (ROOT / "paddle_impl").iterdir()
             if path.suffix == ".py" or any(path.glob("*.py"))}
    assert there - {"__init__"} == set(FLOORS)
    assert len(FLOORS) <= 26


@pytest.mark.parametrize("room", FLOORS)
def test_no_arrow_goes_up_inside_paddle_impl(room):
    place = ROOT / "paddle_impl"
    above = set(FLOORS[FLOORS.index(room) + 1 :])
    for path in [*place.glob(f"{room}.py"), *place.glob(f"{room}/**/*.py")]:
        assert not rooms(imported(path)) & above, path.relative_to(ROOT)


def test_no_circle_of_imports():
    """Not between rooms, and not between the files of a room either."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
             for package in ("paddle_impl", "data_tools")
             for path in (ROOT / package).rglob("*.py")}
    graph = {name: loads(path, files.keys()) - {name} for name, path in files.items()}
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_every_room_is_walked():
    walked = {path.relative_to(ROOT).parts[0] for path, _ in rules()}
    assert walked >= {"data_tools", "paddle_impl", "parity", "run_pretrain.py"}


def test_a_breach_is_seen(tmp_path):
    file = tmp_path / "breach.py"
    file.write_text("def f():\n    from torch.nn import functional\n")
    assert "torch" in imported(file)


def test_both_sides_of_parity_have_the_same_files():
    sides = [{p.name for p in (ROOT / "parity" / side).glob("*.py")}
             for side in ("torch_side", "paddle_side")]
    assert sides[0] == sides[1]
    assert len(sides[0]) > 1


def test_no_file_is_longer_than_a_reader_bears():
    long = {
        str(path.relative_to(ROOT)): lines
        for pattern in ("*.py", "data_tools/**/*.*pp", "data_tools/**/*.py", "paddle_impl/**/*.py",
                        "parity/**/*.py", "tests/**/*.py", "scripts/**/*")
        for path in ROOT.glob(pattern)
        if path.is_file() and path.suffix in (".py", ".cpp", ".sh")
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > 260
    }
    assert not long
