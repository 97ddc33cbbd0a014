"""Connections that ask for nothing are closed; others are not."""

import socket
import time
from contextlib import ExitStack

import httpx
import pytest

from paddle_impl.serving import connections
from tests.paddle_impl.serving.conftest import SECONDS, until

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def health(client: socket.socket) -> None:
    """Ask for the server's health on this connection, and read the whole answer."""
    client.sendall(HEALTH)
    answer = b""
    while not answer.endswith(b"}"):
        answer += client.recv(1 << 16)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def connect(start):
    """Start a server; returns it and a function that opens a connection to it."""
    running = start("Hello")
    with ExitStack() as opened:
        yield running, lambda: opened.enter_context(socket.create_connection(
            ("127.0.0.1", httpx.URL(running.url).port), SECONDS))


@pytest.mark.parametrize("begun", [b"", HEALTH[:20]])
def test_without_a_whole_head_it_is_closed(connect, monkeypatch, begun):
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    client = connect[1]()
    client.sendall(begun)
    assert client.recv(1) == b""


def test_a_head_that_drips_is_not_waited_for(connect, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    client = connect[1]()
    client.settimeout(0.02)
    client.sendall(HEALTH[:-2])
    for _ in range(SECONDS * 50):
        try:
            client.sendall(b"X: y\r\n")
            if client.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            break
    else:
        pytest.fail("the connection is still open")


def test_after_an_answer_it_waits_for_the_next_request_and_not_for_ever(connect, monkeypatch):
    monkeypatch.setattr(connections, "IDLE", 0.5)
    client = connect[1]()
    for _ in range(2):
        health(client)
    client.sendall(HEALTH[:20])
    assert client.recv(1) == b""


def test_who_waits_for_an_answer_is_not_closed(connect, monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 1.0)
    running, _ = connect
    running.decoder.held.clear()
    with httpx.stream("POST", f"{running.url}/v1/completions", timeout=SECONDS, json={
            "model": "tiny", "prompt": "x", "temperature": 0, "stream": True}) as answer:
        until(lambda: running.decoder.steps)
        time.sleep(1.5)
        running.decoder.held.set()
        assert "[DONE]" in answer.read().decode()


def test_of_too_many_the_oldest_is_closed(connect, monkeypatch):
    monkeypatch.setattr(connections, "MOST_SILENT", 4)
    running, opened = connect
    clients = [opened() for _ in range(10)]
    for client in clients[:6]:
        assert client.recv(1) == b""
    for client in clients[6:]:
        health(client)
    assert running.complete(temperature=0).choices[0].text == "Hello"
