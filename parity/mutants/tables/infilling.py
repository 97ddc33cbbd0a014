"""Bugs of fill-in-the-middle: the draws, the places of the cuts, and the order of the parts."""

from parity.mutants.mutant import room

_CUT = "data_tools.fim.cut"
_DRAWS = "data_tools.fim.draws_of"
_ARRANGED = "data_tools.fim.arranged"
_ENCODER = "data_tools.fim.FimEncoder"

_SPM = "[before, behind, suffix, between, prefix, middle]"
_PSM = "[before, prefix, behind, suffix, between, middle]"
_PARTS = "text[:first], text[first:second], text[second:], spm"

BUGS = {
    "SPM with the prefix before its token": (
        _ARRANGED, _SPM, "[behind, suffix, before, prefix, between, middle]"),
    "SPM with the middle before the prefix": (
        _ARRANGED, _SPM, "[before, behind, suffix, between, middle, prefix]"),
    "SPM without the prefix token": (
        _ARRANGED, _SPM, "[behind, suffix, between, prefix, middle]"),
    "PSM with the suffix last": (
        _ARRANGED, _PSM, "[before, prefix, between, middle, behind, suffix]"),
    "PSM without a token before the middle": (
        _ARRANGED, _PSM, "[before, prefix, behind, suffix, middle]"),
    "middle and suffix tokens changed over": (
        _ARRANGED, "before, between, behind =", "before, behind, between ="),
    "pad token for the suffix": (
        f"{_ENCODER}.__init__", "FIM_TOKENS[:3]", "(*FIM_TOKENS[:2], FIM_TOKENS[3])"),
    "transformed by one minus the rate": (_CUT, ">= rate", "< 1 - rate"),
    "in SPM by one minus its rate": (
        _CUT, "draws.random() < spm_rate", "draws.random() >= spm_rate"),
    "in SPM by the first draw": [
        (_CUT, "if draws.random() >= rate", "if (chance := draws.random()) >= rate"),
        (_CUT, "draws.random() < spm_rate", "chance < spm_rate and draws.random() >= 0")],
    "never cut behind the last character": (_CUT, "endpoint=True", "endpoint=False"),
    "never cut before the first character": (_CUT, "draws.integers(0,", "draws.integers(1,"),
    "first character of the suffix lost": (_CUT, "text[second:]", "text[second + 1:]"),
    "middle to the document's end": (_CUT, "text[first:second]", "text[first:]"),
    "prefix and suffix changed over": (
        _CUT, _PARTS, "text[second:], text[first:second], text[:first], spm"),
    "the same draws for every text": (_DRAWS, "blake2b(text.encode(),", "blake2b(b'',"),
    "the same draws for every seed": (_DRAWS, 'f"fim {seed}"', '"fim"'),
    "middle encoded with the prefix": (
        f"{_ENCODER}.transformed", "arranged(next(parts), next(parts),",
        "arranged(next(parts)[:0], (next(parts), self.tokenizer.encode(one.prefix + one.middle)"
        ".astype('uint32'))[1],"),
    "untransformed texts behind the others": (
        f"{_ENCODER}.encode_flat", "[next(plain) if row is None else row for row in rows]",
        "[row for row in rows if row is not None] + [*plain]"),
    "transformed only where every document is": (
        "data_tools.create_pretraining_data._fill", "if not options.fim_rate else FimEncoder(",
        "if options.fim_rate < 1 else FimEncoder("),
    "rates of a command changed over": (
        "data_tools.create_pretraining_data._fill", "options.fim_rate, options.fim_spm_rate,",
        "options.fim_spm_rate, options.fim_rate,"),
}

CONTROLS = {
    "texts encoded in one call for each": (
        f"{_ENCODER}._rows", "return (ids[start:stop] for start, stop in "
        "pairwise(offsets.tolist()))",
        "return (self.tokenizer.encode_flat([text])[0] for text in texts)"),
    "both places drawn below their end": (
        _CUT, "draws.integers(0, len(text), size=2, endpoint=True)",
        "draws.integers(len(text) + 1, size=2)"),
}

MUTANTS = room("infilling", BUGS, CONTROLS)
