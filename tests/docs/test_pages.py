"""Links, anchors, flags, files and folders of paddle_impl that the pages name exist."""

import contextlib
import io
import re

import pytest

import run_evaluation
import run_finetune
import run_generation
import run_pretrain
from data_tools import (
    convert,
    create_classification_data,
    create_completion_data,
    create_e2e_data,
    create_pretraining_data,
    decode_e2e,
    inspect,
    merge,
    synthesize,
)
from parity.__main__ import main as parity
from tests.docs.pages import PAGES, ROOT, anchors, links, prose
from tests.test_doors import FLOORS

README_LINES = 180
FLAG = r"(?<![\w-])--[a-zA-Z]\w[\w-]*"
# Flags of other programs.
OTHERS = {
    "--gpus", "--nproc_per_node", "--nnodes", "--master", "--rank", "--log_dir", "--host",
    "--logdir",
}
# Written by the commands of the pages, not part of the project.
WRITTEN = ("data_tools/code_python", "data_tools/parts", "data_tools/again",
           "dataset/source_code", "dataset/e2e", "dataset/spam", "output/e2e_beam")


def help_of(main, *words: str) -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as stop:
        main([*words, "--help"])
    assert stop.value.code == 0
    return said.getvalue()


@pytest.fixture(scope="module")
def known_flags() -> set[str]:
    """The flags in every command's --help and in every script's text."""
    commands = [run_pretrain.main, run_finetune.main, run_generation.main, run_evaluation.main,
                inspect.main,
                create_pretraining_data.main, create_completion_data.main, create_e2e_data.main,
                create_classification_data.main, decode_e2e.main, merge.main, convert.main,
                synthesize.main, parity]
    texts = [help_of(main) for main in commands]
    texts += [help_of(run_finetune.main, "--task", task) for task in run_finetune.FLAGS]
    texts += [help_of(parity, word) for word in ("mutants", "docs", "reach")]
    texts += [path.read_text() for path in ROOT.glob("scripts/**/*.*")
              if path.suffix in (".sh", ".py")]
    return {flag for text in texts for flag in re.findall(FLAG, text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_exists(page, known_flags):
    named = set(re.findall(FLAG, page.read_text(encoding="utf-8")))
    assert named - known_flags - OTHERS == set()


def test_a_flag_that_does_not_exist_is_seen(known_flags):
    assert "--max_steps" in known_flags and "--dedup" in known_flags and "--paddle" in known_flags
    named = set(re.findall(FLAG, "`--max_stepps 3` a--b ---c <!-- x --> --dedup exact"))
    assert named - known_flags == {"--max_stepps"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    lost = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


def test_a_link_to_nowhere_is_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `two`: three\n\n## One\n\n## One\n\n[a](b.md#c)\n\n"
                    "```\n# no [x](y)\n```\n")
    assert links(page) == ["b.md#c"]
    assert anchors(page) == {"one-two-three", "one", "one-1"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    """Between backticks, from the root; * stands for any name."""
    named = re.findall(r"`((?:paddle_impl|data_tools|parity|tests|scripts|docs)/[^`\s]*)`",
                       prose(page))
    lost = [path for path in named
            if not path.startswith(WRITTEN) and not any(ROOT.glob(path.rstrip("/")))]
    assert not lost


def test_the_readme_is_short():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_leads_to_every_page():
    assert {f"docs/{page.name}" for page in PAGES[1:]} <= set(links(PAGES[0]))


def test_pictures_are_small():
    pictures = [path for path in (ROOT / "docs/images").iterdir()]
    assert pictures and all(path.stat().st_size < 150_000 for path in pictures)


def test_the_rooms_of_paddle_impl_are_told_from_the_lowest_floor_up():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.split("## The rooms of paddle_impl")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)(?:/|\.py)` \|", table, re.MULTILINE) == list(FLOORS)
