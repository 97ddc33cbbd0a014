"""Records become the ids and labels that rasbt's collate function and transformers give them."""

import hashlib

import numpy as np
import pytest

from data_tools.instructions.encoding import Encoded, Encoder, window, with_answer
from data_tools.instructions.examples import InstructionExamples
from data_tools.instructions.records import (
    Conversation,
    Instruction,
    Message,
    read_instructions,
)
from data_tools.instructions.templates import TEMPLATES
from data_tools.tokenizing.tokenizer import Tokenizer

RECORD = Instruction("Say it.", "now", "Yes", "x.json, record 1")
TALK = Conversation((
    Message("system", "Be brief."), Message("user", "Q1"), Message("assistant", "A1"),
    Message("user", "Q2"), Message("assistant", "A2")), "x.json, record 2")


@pytest.fixture(scope="session")
def plain():
    return Tokenizer.byte_level()


@pytest.fixture(scope="session")
def chat():
    return Tokenizer.byte_level().with_added_tokens(
        ["[INST]", "[/INST]", "<|im_start|>", "<|im_end|>"])


def words(tokenizer, ids) -> str:
    """The ids as text, control tokens by their names."""
    names = {number: token for token, number in tokenizer.special_tokens.items()}
    return "".join(names.get(one) or tokenizer.decode([one]) for one in map(int, ids))


def digest(array) -> str:
    return hashlib.sha256(np.asarray(array, np.int32).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="session")
def published(gpt2_dir, instruct_dir):
    """The encoder of Alpaca's texts with GPT-2's tokens, and the records of the shared file."""
    return (Encoder(Tokenizer.load(gpt2_dir), "alpaca"),
            read_instructions(instruct_dir / "instruction-data.json"))


def test_all_alpaca_texts_have_the_published_tokens(published):
    encoder, records = published
    parts = {name: [encoder.encode(one).ids[:-1] for one in records[part]] for name, part in (
        ("train", slice(935)), ("test", slice(935, 1045)), ("valid", slice(1045, None)))}
    assert {name: (sum(map(len, ids)), max(map(len, ids))) for name, ids in parts.items()} == {
        "train": (52760, 91), "test": (6149, 85), "valid": (3116, 76)}
    assert digest(np.concatenate(parts["train"])) == "f90f0a2f2e0fa16e"


@pytest.mark.parametrize("all_tokens, labels, count", [
    (True, "b667e75ef24fc4c8", 465), (False, "98bda6b95f54486d", 163)])
def test_the_published_batch(published, all_tokens, labels, count):
    encoder, records = published
    examples = InstructionExamples(records[:8], encoder, 1024, all_tokens=all_tokens)
    found = np.full((2, 8, examples.inputs.max()), [[[50256]], [[-100]]])
    for row in range(8):
        ids, own = examples.read(row)
        found[0, row, : len(ids) - 1], found[1, row, : len(ids) - 1] = ids[:-1], own[1:]
    assert found.shape == (2, 8, 74) and (found[1] != -100).sum() == count
    assert digest(found[0]) == "50d3222083538801" and digest(found[1]) == labels


def test_an_answer_is_encoded_apart_and_ends(plain):
    encoder = Encoder(plain, "phi3")
    found = encoder.encode(RECORD)
    assert words(plain, found.ids) == "<|user|>\nSay it.\nnow\n<|assistant|>:\nYes<|endoftext|>"
    assert words(plain, found.ids[found.begin :]) == "Yes<|endoftext|>"
    assert words(plain, found.ids[found.response]) == "\n<|assistant|>:\nYes<|endoftext|>"
    assert encoder.prompt(RECORD).tolist() == found.ids[: found.begin].tolist()
    assert encoder.ends == {plain.eos_token_id}


def test_the_joint_is_where_generation_begins():
    """A tokenizer that has merged what stands on both sides would not see the prompt's own ids."""
    tokenizer = Tokenizer.train(["Response:\n\n\nYes it is\n\n\n" * 50], 300)
    record = Instruction("Is it?", "", "\n\nYes it is", "x")
    encoder = Encoder(tokenizer, "alpaca")
    found, prompt = encoder.encode(record), encoder.prompt(record)
    assert found.ids[: len(prompt)].tolist() == prompt.tolist()
    joined = tokenizer.encode(tokenizer.decode(found.ids)).tolist()
    assert joined != found.ids[:-1].tolist()  # encoded as one text the line ends are one token


def test_text_of_a_control_token_is_text_unless_a_chat_template_writes_it(chat):
    record = Instruction("What is <|endoftext|>?", "", "An end.", "x")
    for style, found in (("alpaca", 1), ("chat", 3)):
        encoder = Encoder(chat, style, TEMPLATES["chatml"])
        ends = [chat.eos_token_id, chat.special_tokens["<|im_end|>"]]
        ids = encoder.encode(record).ids.tolist()
        assert sum(map(ids.count, ends)) == found
        assert encoder.holds_control_token(record) == (style == "chat")
    marked = chat.with_added_tokens(["<|user|>", "<|assistant|>"])
    ids = Encoder(marked, "phi3").encode(RECORD).ids.tolist()
    assert [ids.count(marked.special_tokens[name]) for name in ("<|user|>", "<|assistant|>")] \
        == [1, 1]


def test_llama_2_of_several_turns_learns_each_answer_and_its_end(chat):
    found = Encoder(chat, "chat", TEMPLATES["llama2"]).encode(
        Conversation(TALK.messages[1:], "x"))
    end = "<|endoftext|>"
    assert words(chat, found.ids) == (
        f"{end}[INST]Q1[/INST]A1{end}{end}[INST]Q2[/INST]A2{end}")
    assert [words(chat, [one]) if learned else "" for one, learned in
            zip(found.ids, found.response, strict=True)] == [
        "", "", "", "", "", "A", "1", end, "", "", "", "", "", "A", "2", end]
    system = Encoder(chat, "chat", TEMPLATES["llama2"]).encode(TALK)
    assert words(chat, system.ids).startswith(
        f"{end}[INST]<<SYS>>\nBe brief.\n<</SYS>>\n\nQ1[/INST]A1{end}{end}[INST]Q2")


@pytest.mark.parametrize("name", TEMPLATES)
def test_masks_are_those_of_transformers(chat, name, tmp_path):
    transformers = pytest.importorskip("transformers")
    chat.save(tmp_path)
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    found = Encoder(chat, "chat", TEMPLATES[name]).encode(TALK)
    expected = theirs.apply_chat_template(
        [message._asdict() for message in TALK.messages], chat_template=TEMPLATES[name],
        tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    assert found.ids.tolist() == expected["input_ids"]
    assert found.response.tolist() == [bool(one) for one in expected["assistant_masks"]]


@pytest.mark.parametrize("name", TEMPLATES)
def test_without_brackets_prefixes_tell_the_same(chat, name):
    template = TEMPLATES[name]
    bare = template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    assert bare != template
    marked, told = (Encoder(chat, "chat", one).encode(TALK) for one in (template, bare))
    assert marked.ids.tolist() == told.ids.tolist()
    assert marked.response.tolist() == told.response.tolist() and marked.begin == told.begin


def test_the_templates_write_what_the_styles_write(plain):
    for style, joint in (("alpaca", "\n\n### Input:\n"), ("phi3", "\n")):
        asked = Instruction(f"{RECORD.instruction}{joint}{RECORD.input}", "", RECORD.output, "x")
        own, chat = Encoder(plain, style), Encoder(plain, "chat", TEMPLATES[style])
        assert own.encode(RECORD).ids.tolist() == chat.encode(asked).ids.tolist()
        assert own.prompt(RECORD).tolist() == chat.prompt(asked).tolist()
        assert own.template == TEMPLATES[style]


def test_an_end_behind_the_brackets_is_learned_too(chat):
    template = ("{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
                "{{ m.content }}{% endgeneration %}{{ eos_token }}{% else %}{{ m.content }}"
                "{% endif %}{% endfor %}")
    encoder = Encoder(chat, "chat", template)
    found = encoder.encode(TALK)
    assert words(chat, found.ids[found.response]) == "A1<|endoftext|>A2<|endoftext|>"
    assert encoder.ends == {chat.eos_token_id}


@pytest.mark.parametrize("template, message", [
    ("{% for m in messages %}{{ m.content }}{% endfor %}{% generation %}{% endgeneration %}",
     "marks no answer"),
    ("{{ messages | length }} {% for m in messages %}{{ m.content }}{% endfor %}",
     "messages[2]: the chat template does not write the conversation"),
    ("{{ raise_exception('no system') }}", "the chat template refuses the messages: no system"),
])
def test_a_template_that_hides_the_answers_is_an_error(chat, template, message):
    with pytest.raises(ValueError) as error:
        Encoder(chat, "chat", template).encode(TALK)
    assert str(error.value).startswith("x.json, record 2: ") and message in str(error.value)


def test_mistakes_say_what_to_do(plain):
    with pytest.raises(ValueError, match="no chat template: name one with --chat_template"):
        Encoder(plain, "chat")
    with pytest.raises(ValueError, match="record 2: a conversation does not go with "
                       "--prompt_style alpaca: pass --prompt_style chat"):
        Encoder(plain, "alpaca").encode(TALK)
    private = Conversation((Message("user", "\U000f0001"), Message("assistant", "A")), "x")
    with pytest.raises(ValueError, match="private use"):
        Encoder(plain, "chat", TEMPLATES["alpaca"]).encode(private)


@pytest.mark.parametrize("size, begin, most, side, left", [
    (9, 5, 9, "prompt", range(9)), (9, 5, 7, "prompt", range(2, 9)),
    (9, 5, 4, "prompt", range(5, 9)), (9, 5, 3, "prompt", range(5, 8)),
    (9, 5, 7, "answer", range(7)), (9, 5, 3, "answer", range(3))])
def test_what_is_too_long_loses_the_named_side(size, begin, most, side, left):
    assert list(range(size))[window(size, begin, most, side)] == list(left)
    ids = np.arange(size, dtype=np.int32)
    cut = Encoded(ids, ids >= begin, begin).within(most, side)
    assert cut.ids.tolist() == list(left) and cut.response.sum() == sum(i >= begin for i in left)
    assert cut.begin == begin - left[0]


def test_an_answer_can_be_put_behind_a_prompt(plain):
    assert with_answer(Instruction("a", "", "", "x"), "b") == Instruction("a", "", "b", "x")
    assert with_answer(Conversation(TALK.messages[:-1], "x"), "A2") == Conversation(
        TALK.messages, "x")


def test_a_template_may_stand_in_a_file(tmp_path):
    from data_tools.instructions.templates import template_of

    (tmp_path / "own.jinja").write_text("{{ messages }}")
    assert template_of(str(tmp_path / "own.jinja")) == "{{ messages }}"
    with pytest.raises(ValueError, match="none.jinja cannot be read: No such file or directory; "
                       "expected a file in Jinja, or one of alpaca, phi3, llama2, chatml"):
        template_of("none.jinja")
