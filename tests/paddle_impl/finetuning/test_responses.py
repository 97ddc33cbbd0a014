"""Answers of a model in training: from whole or cut prompts, alike at every call, as JSON."""

import json

import pytest

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.records import Conversation, Instruction, Message
from data_tools.instructions.templates import TEMPLATES
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.finetuning.responses import Responder, write
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.parallel.ranks import Ranks

TOKENIZER = Tokenizer.byte_level()
SHORT = Instruction("Go", "", "yes", "x")
LONG = Instruction("Go " * 60, "", "yes", "x")
POSITIONS = 128


@pytest.fixture
def model():
    model = GPTForCausalLM(ModelConfig(
        n_layer=1, n_embd=16, n_head=2, vocab_size=257, n_positions=POSITIONS,
        initializer_range=0.5, bos_token_id=256, eos_token_id=256))
    initialize(model, 0)
    return model


def responder(**flags) -> Responder:
    told = {"decode_strategy": "greedy_search", "max_dec_len": 20} | flags
    return Responder(Encoder(TOKENIZER, "phi3"), DecodingOptions(**told), 5, Ranks())


def test_a_response_is_what_generation_gives_to_the_prompt(model):
    model.train()
    ((prompt, text),) = responder().answer(model, [SHORT], 1)
    assert TOKENIZER.decode(prompt) == "<|user|>\nGo\n<|assistant|>:\n" and model.training
    decoding = DecodingOptions(decode_strategy="greedy_search", max_dec_len=20).settings((256,))
    ((one,),) = generate(model, [prompt.tolist()], decoding, decode_bytes=TOKENIZER.decode_bytes)
    assert text == one.text.strip()
    model.eval()
    responder().answer(model, [SHORT], 1)
    assert not model.training


def test_a_prompt_without_room_for_an_answer_loses_its_start(model):
    (long, _), (short, _) = responder().answer(model, [LONG, SHORT], 1)
    whole = responder()._encoder.prompt(LONG)
    assert len(long) == POSITIONS - 20 and long.tolist() == whole[-len(long) :].tolist()
    assert len(short) < len(long)
    ((half, _),) = responder(max_dec_len=500).answer(model, [LONG], 1)
    assert len(half) == POSITIONS // 2


def test_draws_depend_on_seed_step_and_record_alone(model):
    sampled = responder(decode_strategy="sampling", top_k=0)
    first = [text for _, text in sampled.answer(model, [SHORT, LONG], 3)]
    assert first == [text for _, text in sampled.answer(model, [SHORT, LONG], 3)]
    assert first[0] == sampled.answer(model, [SHORT], 3)[0][1]
    assert first != [text for _, text in sampled.answer(model, [SHORT, LONG], 4)]


def test_records_keep_their_fields(tmp_path):
    talk = Conversation((Message("user", "Q"), Message("assistant", "A")), "x")
    write(tmp_path / "out.json", [SHORT, talk], ["é", "b"])
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert json.loads(text) == [
        {"instruction": "Go", "input": "", "output": "yes", "model_response": "é"},
        {"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
         "model_response": "b"}]
    assert '    {\n        "instruction": "Go"' in text and "é" in text


def test_a_conversation_is_answered_where_its_last_answer_stands():
    encoder = Encoder(TOKENIZER, "chat", TEMPLATES["llama2"])
    asked = Conversation((Message("user", "Q"),), "x")
    answered = Conversation((*asked.messages, Message("assistant", "A")), "x")
    assert encoder.prompt(asked).tolist() == encoder.prompt(answered).tolist() == [
        256, *b"[INST]Q[/INST]"]
