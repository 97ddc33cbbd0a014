"""However the engine ends, no request waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.serving import ServingOptions
from paddle_impl.serving.server import Server
from tests.paddle_impl.serving.conftest import SECONDS, Nothing, Reciter, until


def server(directory, decoder_of, **options):
    return Server(Nothing, Tokenizer.byte_level(),
                  ServingOptions(model_name_or_path=str(directory), port=0, **options), decoder_of)


def test_a_decoder_that_cannot_be_made_is_told_before_anybody_is_let_in(tmp_path):
    def none(rows, positions):
        raise ValueError("this model cannot be decoded")

    with pytest.raises(ValueError, match="cannot be decoded"):
        server(tmp_path, none).run(lambda: pytest.fail("it was ready"))


def test_a_decoder_that_cannot_be_made_again_ends_the_server(tmp_path, capfd):
    made, told, ready = [], [], threading.Event()

    def once(rows, positions):
        if made:
            raise MemoryError("no room for another")
        made.append(Reciter(rows, positions, "Hello"))
        made[0].broken = RuntimeError("the first failed")
        made[0].held.clear()
        return made[0]

    def run():
        with pytest.raises(RuntimeError, match="the engine ended") as error:
            one.run(ready.set)
        told.append(error.value.__cause__)

    one = server(tmp_path, once, rows=1, served_model_name="tiny")
    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(SECONDS)
    client = openai.OpenAI(base_url=f"{one.url}/v1", api_key="none", max_retries=0)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(client.completions.create, model="tiny", prompt="x")
                   for _ in range(3)]
        until(lambda: one._admission.inside == 3 and made[0].steps)
        made[0].held.set()
        for answer in answers:
            with pytest.raises(openai.InternalServerError, match="the model failed"):
                answer.result()
    thread.join(SECONDS)
    assert not thread.is_alive() and isinstance(told[0], MemoryError)
    assert "no room for another" in capfd.readouterr().err


def test_rows_and_positions_are_those_of_the_options(tmp_path):
    requested = []

    def note(rows, positions):
        requested.append((rows, positions))
        raise ValueError("enough")

    for options in ({"rows": 3}, {"max_prompt_tokens": 10, "max_new_tokens": 20}):
        with pytest.raises(ValueError, match="enough"):
            server(tmp_path, note, **options).run()
    assert requested == [(3, 64), (16, 30)]
