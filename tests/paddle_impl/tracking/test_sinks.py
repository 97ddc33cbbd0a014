"""--report_to: names, refused values, and packages that are not installed."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest

from paddle_impl.tracking import check

INSTALLED = SimpleNamespace(origin="package/__init__.py")


def test_names_are_read(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: INSTALLED)
    assert check("none") == ()
    assert check("visualdl") == ("visualdl",)
    assert check("visualdl, tensorboard,wandb") == ("visualdl", "tensorboard", "wandb")


@pytest.mark.parametrize(("report_to", "message"), [
    ("visualdl,mlflow", "got 'mlflow' in 'visualdl,mlflow'"),
    ("", "got ''"),
    ("visualdl,", "got '' in 'visualdl,'"),
    ("none,visualdl", "got 'none' in"),
    ("visualdl,visualdl", "visualdl,visualdl names a sink twice"),
])
def test_what_is_no_sink_is_refused_by_name(report_to, message):
    with pytest.raises(ValueError, match=message):
        check(report_to)


@pytest.mark.parametrize(("name", "package"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")])
def test_a_missing_package_is_named_with_its_mending(name, package, monkeypatch):
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda asked: None if asked == package else INSTALLED)
    with pytest.raises(ValueError, match=f"{name} needs the package {package}: pip install "):
        check(f"visualdl,{name}")


def test_a_folder_of_the_packages_name_is_not_the_package(tmp_path, monkeypatch):
    """A run in this directory may have left one."""
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    assert importlib.util.find_spec("wandb") is not None
    with pytest.raises(ValueError, match="needs the package wandb"):
        check("wandb")
