"""The server's settings: an invalid value is refused with the name of its flag."""

from dataclasses import replace

import pytest

from paddle_impl.config.serving import ServingOptions


@pytest.mark.parametrize(("options", "says"), [
    ({"port": 65536}, "--port must lie between 0 and 65535, got 65536"),
    ({"max_concurrency": 0}, "--max_concurrency must be at least 1, got 0"),
    ({"max_prompt_tokens": 0}, "--max_prompt_tokens"),
    ({"request_timeout": 0.0}, "--request_timeout must be above 0"),
    ({"grace": float("inf")}, "--grace"), ({"queue_timeout": float("nan")}, "--queue_timeout"),
    ({"api_key_variable": "NO_SUCH_VARIABLE"}, "export NO_SUCH_VARIABLE=KEY"),
])
def test_refusals(options, says):
    with pytest.raises(ValueError, match=says):
        ServingOptions(model_name_or_path="x", **options)


@pytest.mark.parametrize(("path", "name", "model"), [
    ("runs/model_30", None, "model_30"), ("runs/model_30/", None, "model_30"), ("x", "y", "y"),
])
def test_a_model_is_called_as_its_directory(path, name, model):
    assert ServingOptions(model_name_or_path=path, served_model_name=name).model_id == model


@pytest.mark.parametrize(("host", "alone"), [
    ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
    ("0.0.0.0", False), ("::", False), ("192.168.0.4", False), ("example.org", False),
])
def test_which_hosts_only_this_machine_reaches(host, alone):
    assert ServingOptions(model_name_or_path="x", host=host).only_this_machine is alone


@pytest.mark.parametrize(("host", "name", "answers"), [
    ("127.0.0.1", "localhost", True), ("127.0.0.1", "::1", True), ("::1", "127.0.0.1", True),
    ("127.0.0.1", "192.168.0.4", False), ("127.0.0.1", "example.org", False),
    ("0.0.0.0", "192.168.0.4", True), ("0.0.0.0", "localhost", True),
    ("0.0.0.0", "example.org", False), ("Example.org", "example.org", True),
])
def test_which_names_are_answered_without_a_key(host, name, answers, monkeypatch):
    options = ServingOptions(model_name_or_path="x", host=host)
    assert options.answers_to(name) is answers
    monkeypatch.setenv("KEY", "sesame")
    assert replace(options, api_key_variable="KEY").answers_to(name)


def test_a_key_of_spaces_is_none(monkeypatch):
    monkeypatch.setenv("KEY", " \n")
    with pytest.raises(ValueError, match="export KEY=KEY"):
        ServingOptions(model_name_or_path="x", api_key_variable="KEY")


def test_the_key_comes_from_the_environment_and_is_no_field(monkeypatch):
    monkeypatch.setenv("KEY", "sesame\n")
    options = ServingOptions(model_name_or_path="x", api_key_variable="KEY")
    assert options.api_key == "sesame" and "sesame" not in repr(options)
