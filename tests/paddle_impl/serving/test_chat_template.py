"""Chat templates render as transformers renders them."""

import json

import pytest

from paddle_impl.serving.chat_template import ChatTemplate, load_chat_template
from paddle_impl.serving.errors import RequestError

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


@pytest.mark.parametrize("name", TEMPLATES)
def test_as_transformers_renders_it(name):
    utilities = pytest.importorskip("transformers.utils.chat_template_utils")
    expected, _ = utilities.render_jinja_template(
        [MESSAGES], chat_template=TEMPLATES[name], add_generation_prompt=True, **TOKENS)
    assert ChatTemplate(TEMPLATES[name], TOKENS).render(MESSAGES) == expected[0]


def test_a_refusal_is_the_clients(tmp_path):
    template = ChatTemplate("{{ raise_exception('roles must alternate') }}", {})
    with pytest.raises(RequestError, match="roles must alternate") as refused:
        template.render(MESSAGES)
    assert refused.value.status == 400


@pytest.mark.parametrize("source", [
    "{{ messages.__class__.__mro__ }}", "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ messages.append(1) }}",
])
def test_a_template_stays_in_its_sandbox(source):
    with pytest.raises(RequestError, match="refuses the messages"):
        ChatTemplate(source, {}).render(MESSAGES)


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
    assert (None if found is None else found.render(MESSAGES)) == text


@pytest.mark.parametrize(("config", "says"), [
    ({"chat_template": "{% if %}"}, "no Jinja template"), ({"chat_template": 3}, "must be a text"),
])
def test_a_broken_template_is_refused_at_the_start(tmp_path, config, says):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=says):
        load_chat_template(tmp_path)
