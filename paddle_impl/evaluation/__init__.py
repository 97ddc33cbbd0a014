"""What a trained model is worth, in numbers that compare across checkpoints.

    windows.py      a long text as rows: each token predicted once, with enough context
    scoring.py      rows -> how probable each target was, and whether it was the likeliest
    code_length.py  documents of a dataset: loss, accuracy, bits per byte beside gzip's
    wikitext.py     a WikiText file: perplexity a token and a word
    lambada.py      last words of passages: accuracy and perplexity
    minitest.py     ten fixed prompts, continued
    comparison.py   several checkpoints' answers to them, side by side
    humaneval/      functions written to a docstring, judged by running them
    running.py      a run of run_evaluation.py: the one of these that is asked for
    files.py        text files in, a JSON object and a table out
"""
