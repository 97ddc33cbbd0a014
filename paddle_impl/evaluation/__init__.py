"""Measures of a trained model, which compare across checkpoints.

    windows.py      cut a long text into rows, so that each token is predicted once
    scoring.py      rows -> log-probability of the targets, and how many were the likeliest token
    code_length.py  documents of a dataset: loss, accuracy, and bits per byte compared with gzip
    wikitext.py     a WikiText file: perplexity a token and a word
    lambada.py      last words of passages: accuracy and perplexity
    minitest.py     continuations of ten fixed prompts
    comparison.py   those of several checkpoints side by side
    humaneval/      functions written from docstrings, tested by running them
    infilling/      gaps in the canonical solutions of such functions, filled in
    e2e/            outputs of systems against the references of the E2E challenge
    classifying.py  labels of texts: accuracy, macro F1, beside TF-IDF with logistic regression
    confusion.py    which class was taken for which, and what follows from that
    running.py      a run of run_evaluation.py: one of these measures
    files.py        read text files, write a JSON object, format a table
"""
