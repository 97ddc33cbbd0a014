"""A conversation in the terminal: input, prompts and output."""

import json

import pytest
import tokenizers

import run_generation
from data_tools.completion.records import CompletionRecords
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.text.conversation import Conversation
from paddle_impl.text.generator import TextGenerator


def speaking(*names) -> Tokenizer:
    """A byte tokenizer with a control token for each name."""
    inner = tokenizers.Tokenizer.from_str(Tokenizer.byte_level()._prompt.to_str())
    inner.add_special_tokens([tokenizers.AddedToken(f"<{name}>", special=True, normalized=False)
                              for name in names])
    return Tokenizer(inner)


class Session:
    def __init__(self, tokenizer, lines, *flags, positions=64):
        """flags: of the command line."""
        model = GPTForCausalLM(ModelConfig(
            n_layer=1, n_embd=16, n_head=2, n_positions=positions, vocab_size=tokenizer.vocab_size,
            initializer_range=0.5, bos_token_id=256, eos_token_id=256))
        initialize(model, 0)
        self.generator = TextGenerator(model, tokenizer)
        self.prompts, self.asked, self.said, self.lines = [], [], "", list(lines)
        plain = self.generator.generate
        self.generator.generate = lambda ids, *more: (
            self.prompts.append(ids[0]) or plain(ids, *more))
        config = run_generation.parse(["--model_name_or_path", "x", "--interactive", *flags])
        Conversation(self.generator, config.decoding, config.runtime.seed, self.ask, self.say,
                     config.prompts.language, config.prompts.chat).run()

    def ask(self, text):
        self.asked.append(text)
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)

    def say(self, *words, end="\n", flush=False):
        self.said += " ".join(map(str, words)) + end


def test_a_language_is_asked_for_and_stands_before_the_prompt():
    tokenizer = speaking("python", "pad", "java")
    session = Session(tokenizer, ["ruby", "Python", "def f", "change_lang", "java", "x", "exit"])
    assert session.asked[:2] == ["language (java, python): "] * 2
    python, java = (tokenizer.special_tokens[name] for name in ("<python>", "<java>"))
    assert session.prompts == [[python, *b"def f"], [java, *b"x"]]
    assert "no token for the language 'ruby': it has java, python" in session.said


def test_a_language_that_is_named_is_not_asked_for():
    tokenizer = speaking("python", "java")
    session = Session(tokenizer, ["x = 1", "change_lang", "java", "y"], "--language", "Python")
    assert session.asked[0] == ">>> "
    python, java = (tokenizer.special_tokens[name] for name in ("<python>", "<java>"))
    assert session.prompts == [[python, *b"x = 1"], [java, *b"y"]]


def test_a_language_without_a_token_is_refused():
    with pytest.raises(ValueError, match="language 'go': it has java, python"):
        Session(speaking("python", "java"), [], "--language", "go")
    with pytest.raises(ValueError, match="language 'go': it has none of any language"):
        Session(speaking("pad"), [], "--language", "go")


def test_a_prompt_is_what_records_of_training_begin_with(tmp_path):
    """A blank between the language's token and the text would give other ids."""
    tokenizer = speaking("pad", "python")
    record = {"token_ids": tokenizer.encode("def f(x):").tolist(), "label": "Python"}
    (tmp_path / "train.jsonl").write_text(json.dumps(record) + "\n")
    with CompletionRecords(tmp_path / "train.jsonl", tokenizer, 32) as records:
        trained = records.input_ids(0).tolist()
    session = Session(tokenizer, ["def f"], "--language", "python")
    assert session.prompts == [trained[:6]]


def test_exit_generates_nothing():
    assert Session(speaking(), ["exit"]).prompts == []
    assert Session(speaking("java"), ["exit"]).prompts == []


def test_without_languages_nothing_is_asked():
    session = Session(speaking(), ["ab", "", "change_lang"])
    assert session.asked == [">>> "] * 4
    assert session.prompts == [[*b"ab"]]
    assert "the tokenizer has no tokens of languages" in session.said


def test_a_backslash_goes_on_in_the_next_line():
    session = Session(speaking(), ["def f(x):\\", "    return x"])
    assert session.prompts == [[*b"def f(x):\n    return x"]]
    assert session.asked[1] == "... "


def test_text_stops_at_a_blank_line():
    session = Session(speaking(), ["a"], "--max_dec_len", "60", "--temperature", "9", "--stop",
                      "\x01", "\x02", *map(chr, range(65, 90)))
    shown = session.said.partition("\na")[2]
    assert not set(shown) & set(map(chr, range(65, 90)))
    config = run_generation.parse(["--model_name_or_path", "x", "--interactive"])
    assert config.decoding.settings().stop == ("\n\n",)


def test_settings_change_what_follows():
    alone = Session(speaking(), ["ab"], "--max_dec_len", "5", "--seed", "7")
    later = Session(speaking(), ["set max_dec_len 5", "set seed 7", "ab", "ab"])
    text = alone.said.partition("\nab")[2]
    assert later.said.count(text.rstrip("\n")) >= 1
    texts = later.said.split("\nab")[1:]
    assert texts[0] != texts[1], "each continuation has draws of its own"


@pytest.mark.parametrize(("line", "message"), [
    ("set temperature 0", "temperature must be above 0"), ("set top_k x", "takes a number"),
    ("set colour 1", "no setting colour"), ("set seed -1", "seed must lie in"), ("a" * 70, "room"),
])
def test_a_mistake_is_said_and_the_conversation_goes_on(line, message):
    session = Session(speaking(), [line, "b", "settings"])
    assert message in session.said and session.prompts == [[*b"b"]]
    assert "temperature 0.7, top_k 0" in session.said



def test_a_chat_has_what_was_said_before_each_question():
    tokenizer = speaking("python", "user", "model")
    tokenizer.chat_template = ("{% for m in messages %}{{ '<user>' if m.role == 'user' else "
                               "'<model>' }}{{ m.content }}{% endfor %}"
                               "{% if add_generation_prompt %}<model>{% endif %}")
    session = Session(tokenizer, ["one", "two", "new", "three", "exit"], "--chat",
                      "--max_dec_len", "3", "--decode_strategy", "greedy_search")
    user, model = (tokenizer.special_tokens[name] for name in ("<user>", "<model>"))
    first, second, third = session.prompts
    assert first == [user, *b"one", model] and third == [user, *b"three", model]
    assert second[: len(first)] == first and second[-5:] == [user, *b"two", model]
    answered = bytes(one for one in second[len(first) : -5] if one < 256)
    assert answered.decode(errors="replace")[:1] in session.said
    assert "language" not in "".join(session.asked)  # a template writes the whole prompt


def test_a_chat_needs_a_template():
    session = Session(speaking("pad"), ["one", "exit"], "--chat")
    assert "error: the tokenizer has no chat template" in session.said


@pytest.mark.parametrize("more, message", [
    (["--language", "python"], "--chat and --language exclude each other"),
    (["--prompt", "a", "--suffix", "b"], "--suffix means nothing with --chat")])
def test_what_does_not_go_with_a_chat_is_refused(more, message, capsys):
    with pytest.raises(SystemExit):
        run_generation.parse(["--model_name_or_path", "x", "--chat", *more])
    assert message in capsys.readouterr().err
