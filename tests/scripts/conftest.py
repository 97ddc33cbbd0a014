"""Modules of scripts/, which import each other as scripts do: by their folder."""

import importlib
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def script(monkeypatch):
    """script(name) imports scripts/<name>.py, or a module of a package in it."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module
