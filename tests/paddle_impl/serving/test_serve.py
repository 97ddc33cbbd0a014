"""serve() names a missing package with the command that installs it, and warns of open hosts."""

import sys

import pytest

from paddle_impl import serving
from paddle_impl.config.serving import ServingOptions
from tests.paddle_impl.serving.conftest import Nothing


@pytest.mark.parametrize("name", serving.NEEDED)
def test_a_missing_library_is_named_with_what_installs_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"needs {name}.*pip install '\.\[serve\]'"):
        serving.serve(Nothing, None, ServingOptions(model_name_or_path="x"))


def test_who_lets_other_machines_in_is_warned(monkeypatch, capsys):
    from data_tools.tokenizing.tokenizer import Tokenizer
    from paddle_impl.serving import server

    monkeypatch.setattr(server.Server, "run", lambda self, ready: (ready(), self._socket.close()))
    with pytest.warns(UserWarning, match="--host 0.0.0.0 lets other machines in"):
        serving.serve(Nothing, Tokenizer.byte_level(),
                      ServingOptions(model_name_or_path="x", host="0.0.0.0", port=0))
    assert capsys.readouterr().out.startswith("serving x at http://0.0.0.0:")
