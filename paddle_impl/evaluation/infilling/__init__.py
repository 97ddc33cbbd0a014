"""Infilling: parts of HumanEval's canonical solutions are cut out, and a model fills them in.

    spans.py      a task's solution -> gaps: single lines, several lines, spans of characters
    filling.py    a model -> what it writes into each gap (the only module that needs Paddle)
    scores.py     exact match and edit similarity
    measuring.py  the measure of run_evaluation.py --infill

The three kinds of gaps are those of Bavarian et al. 2022, https://arxiv.org/abs/2207.14255.
"""
