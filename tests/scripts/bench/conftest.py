"""Modules of scripts/bench, which import each other as scripts do: by their folder."""

import importlib
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def bench(monkeypatch):
    """bench(name) imports scripts/bench/<name>.py."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts" / "bench"), *sys.path])
    return importlib.import_module
