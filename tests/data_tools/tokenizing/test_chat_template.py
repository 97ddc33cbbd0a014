"""Chat templates render as transformers renders them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.tokenizing.chat_template import ChatTemplate, load_chat_template
from data_tools.tokenizing.tokenizer import Tokenizer

REPO = Path(__file__).parents[3]

MESSAGES = [
    {"role": "system", "content": "Be <brief> & \"kind\".\n"},
    {"role": "user", "content": "Grüße, 世界"},
    {"role": "assistant", "content": "  hm  "},
    {"role": "user", "content": "it's 'so'"},
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TEMPLATES = {
    "chatml": """{% for m in messages %}
    {% if loop.first and m['role'] != 'system' %}
<|im_start|>system
    {% endif %}
<|im_start|>{{ m['role'] }}
{{ m['content'] | trim }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "llama": """{{ bos_token }}{% set ns = namespace(count=0) %}{% for m in messages -%}
{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% set ns.count = ns.count + 1 %}
{%- elif m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}
{%- else %}{% continue %}{% endif %}{% endfor %}{{ ns.count }}""",
    "json": "{{ messages | tojson }}|{{ messages[0] | tojson(indent=2) }}|{{ tools is none }}",
    "names": "{{ pad_token is defined }}{{ documents }}",
}


@pytest.mark.parametrize("prompt", [True, False])
@pytest.mark.parametrize("name", TEMPLATES)
def test_as_transformers_renders_it(name, prompt):
    utilities = pytest.importorskip("transformers.utils.chat_template_utils")
    expected, _ = utilities.render_jinja_template(
        [MESSAGES], chat_template=TEMPLATES[name], add_generation_prompt=prompt, **TOKENS)
    template = ChatTemplate(TEMPLATES[name], TOKENS)
    assert template.render(MESSAGES, add_generation_prompt=prompt) == expected[0]


def test_a_template_may_refuse_messages():
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(ValueError) as refused:
        template.render(MESSAGES, add_generation_prompt=True)
    assert str(refused.value) == "the chat template refuses the messages: roles must alternate"


@pytest.mark.parametrize("source", [
    "{{ messages.__class__.__mro__ }}", "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ messages.append(1) }}",
])
def test_a_template_stays_in_its_sandbox(source):
    with pytest.raises(ValueError, match="refuses the messages"):
        ChatTemplate(source, {}).render(MESSAGES, add_generation_prompt=True)


@pytest.mark.parametrize(("config", "file", "text"), [
    ({}, None, None),
    ({"chat_template": "A{{ bos_token }}", "bos_token": "<s>"}, None, "A<s>"),
    ({"chat_template": "A{{ bos_token }}", "bos_token": {"content": "<b>"}}, None, "A<b>"),
    ({"chat_template": [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]},
     None, "D"),
    ({"chat_template": "A", "eos_token": "</s>"}, "F{{ eos_token }}", "F</s>"),
])
def test_where_a_template_is_found(tmp_path, config, file, text):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    if file is not None:
        (tmp_path / "chat_template.jinja").write_text(file)
    found = load_chat_template(tmp_path)
    assert (found and found.render(MESSAGES, add_generation_prompt=True)) == text


@pytest.mark.parametrize(("config", "says"), [
    ({"chat_template": "{% if %}"}, "no Jinja template"), ({"chat_template": 3}, "must be a text"),
])
def test_a_broken_template_is_refused_at_the_start(tmp_path, config, says):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=says):
        load_chat_template(tmp_path)


def test_a_tokenizer_renders_by_the_template_that_came_with_it(tmp_path):
    Tokenizer.byte_level().save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(TEMPLATES["chatml"] + "{{ eos_token }}")
    tokenizer = Tokenizer.load(tmp_path)
    user = [{"role": "user", "content": " hi "}]
    text = "<|im_start|>system\n<|im_start|>user\nhi<|im_end|>\n"
    assert tokenizer.apply_chat_template(user) == text + "<|endoftext|>"
    assert tokenizer.apply_chat_template(user, add_generation_prompt=True) == (
        text + "<|im_start|>assistant\n<|endoftext|>")
    ids = tokenizer.encode(tokenizer.apply_chat_template(user), special_tokens=True)
    assert ids.tolist() == [*text.encode(), 256]


@pytest.mark.parametrize(("template", "says"), [
    (None, "the tokenizer has no chat template: put one beside its other files, as chat_templ"),
    ([{"name": "tool_use", "template": "x"}, {"name": "rag", "template": "x"}],
     "the tokenizer has no chat template named default, only rag, tool_use: put one beside"),
    ("{% if %}", "the chat template is no Jinja template"),
])
def test_a_tokenizer_without_a_template_to_use_says_so(tmp_path, template, says):
    Tokenizer.byte_level().save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    tokenizer = Tokenizer.load(tmp_path)  # which is all that other work needs
    with pytest.raises(ValueError, match=says):
        tokenizer.apply_chat_template(MESSAGES)


def test_jinja_is_needed_for_rendering_alone(tmp_path):
    Tokenizer.byte_level().save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("x")
    code = ("import sys\nsys.modules['jinja2'] = None\n"
            "from data_tools.tokenizing.tokenizer import Tokenizer\n"
            "tokenizer = Tokenizer.load(sys.argv[1])\n"
            "print(tokenizer.chat_template)\n"
            "try:\n    tokenizer.apply_chat_template([])\n"
            "except ValueError as error:\n    print(error)\n")
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=REPO, text=True, check=True,
                          capture_output=True)
    assert done.stdout.startswith(
        "x\na chat template needs the package jinja2: pip install '.[chat]' (")
