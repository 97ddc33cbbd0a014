"""The measures of the E2E challenge: outputs for meaning representations against references.

    references.py  files -> the references of each instance, and a system's outputs
    nist.py        NIST-5 of the challenge's pymteval
    java.py        the programs of pycocoevalcap that need Java: PTB's tokenizer, METEOR 1.5
    scores.py      BLEU, NIST, METEOR, ROUGE_L and CIDEr of one or more systems
    rows.py        outputs without a model to compare with; the table in Markdown
    measuring.py   the measure of run_evaluation.py --e2e

Nothing here needs Paddle or a model. Packages: the extra `metrics`. The definitions are those of
`measure_scores.py -p` of https://github.com/tuetschek/e2e-metrics.
"""
