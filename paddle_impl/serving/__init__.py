"""A completion server with OpenAI's interface, whose texts are those of run_generation.py; and a
server that tells the labels of texts.
"""

import importlib.util

from paddle_impl.config.serving import ServingOptions

NEEDED = ("starlette", "uvicorn", "jinja2")


def serve(model, tokenizer, options: ServingOptions, *others) -> None:
    """Answer requests until SIGINT or SIGTERM, then let the requests under way finish.

    others: (model, tokenizer, options) of more models, each under the name that its options give.
    ValueError where the port is taken, the chat template is broken, two models have one name, or a
    library is missing.
    """
    _check_libraries()
    from paddle_impl.serving.server import run

    run(model, tokenizer, options, *others)


def serve_classifier(classifier, options: ServingOptions) -> None:
    """The same for a text.classifier.TextClassifier, at vLLM's /classify."""
    _check_libraries()
    from paddle_impl.serving.classifying import run

    run(classifier, options)


def _check_libraries() -> None:
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise ValueError(
                f"--serve needs {name}, which is not installed: pip install '.[serve]'")
