"""The five metrics, by the real programs where Java is there."""

import math
import shutil

import pytest

from paddle_impl.evaluation.e2e import java
from paddle_impl.evaluation.e2e.references import read_outputs, read_references
from paddle_impl.evaluation.e2e.scores import METRICS, System, score

REFERENCES = [["The Mill is a pub near Café Rouge.", "The Mill, a pub, is near Café Rouge."],
              ["Try the cheap food of the Vaults for £20."]]
OUTPUTS = [REFERENCES[0][0], REFERENCES[1][0]]


@pytest.fixture(scope="module")
def real():
    """{name: Scores} by one start of METEOR, which takes 10 seconds of a core."""
    pytest.importorskip("sacrebleu", reason="needs the extra metrics")
    pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    if shutil.which("java") is None:
        pytest.skip("METEOR needs Java")
    return dict(score({
        "same": System(OUTPUTS, REFERENCES), "empty": System(["", ""], REFERENCES),
        "one empty": System(["", OUTPUTS[1]], REFERENCES),
        "single": System(OUTPUTS[:1], REFERENCES[:1]),
        "no words": System(["!"], [["?"]]),
    }))


def test_outputs_that_are_references(real):
    found = real["same"].values
    assert found["BLEU"] == pytest.approx(1.0) and found["ROUGE_L"] == pytest.approx(1.0)
    assert found["METEOR"] == pytest.approx(1.0) and found["NIST"] > 3 and found["CIDEr"] > 5


def test_empty_outputs_and_single_instances(real):
    assert real["empty"].values == dict.fromkeys(METRICS, 0.0)
    assert real["empty"].notes == ("2 of 2 outputs are empty",)
    assert all(0 < value < real["same"].values[name]
               for name, value in real["one empty"].values.items())
    assert real["single"].values["CIDEr"] == 0.0
    assert "CIDEr of a single instance is 0" in real["single"].text()
    assert all(map(math.isfinite, real["no words"].values.values()))


@pytest.fixture(scope="module")
def example(shared):
    """{name: Scores} of the example of the reference implementation."""
    pytest.importorskip("sacrebleu", reason="needs the extra metrics")
    pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    if shutil.which("java") is None:
        pytest.skip("METEOR needs Java")
    outputs = read_outputs(str(shared / "metrics" / "baseline-output.txt"))
    references = read_references(str(shared / "metrics" / "devel-conc.txt"), len(outputs)).texts
    return dict(score({
        str(count): System(outputs[:count], references[:count]) for count in (10, 3, 1)}))


@pytest.mark.parametrize(("count", "known"), [
    (10, (0.7202928, 7.7888876, 0.4800717, 0.7909526, 2.3039431)),
    (3, (0.670967, 5.1285333, 0.4725061, 0.8144492, 2.1322421)),
    (1, (0.6882336, 4.8122239, None, None, 0.0)),
])
def test_what_the_reference_implementation_gives(example, count, known):
    for metric, value in zip(METRICS, known, strict=True):
        if value is not None:
            assert example[str(count)].values[metric] == pytest.approx(value, abs=6e-8), metric


def test_without_java(no_java):
    ((_, found),) = score({"same": System(OUTPUTS, REFERENCES)})
    assert found.values["BLEU"] == pytest.approx(1.0) and found.values["NIST"] > 3
    for metric in METRICS[2:]:
        assert f"{metric}: not computed: needs Java" in found.text()


def test_bleu_without_a_match_of_four_words_is_as_small_as_the_references(no_java):
    """pymteval counts 1e-15 matches where there are none; sacrebleu's default a half."""
    output, reference = "a b c x d e", "a b c d e f"
    ((_, found),) = score({"x": System([output], [[reference]])})
    expected = (5 / 6 * 3 / 5 * 1 / 4 * 1e-15 / 3) ** 0.25
    assert found.values["BLEU"] == pytest.approx(expected, rel=1e-9)
    ((_, short),) = score({"x": System(["a b c"], [[reference]])})
    assert short.values["BLEU"] == 0.0  # and not what a count of no n-grams gives


def test_words_are_mtevals_and_case_makes_no_difference(no_java):
    ((_, found),) = score({"x": System(["THE mill's 3.5-star food, &amp; more"],
                                       [["the Mill's 3.5 - star food , & more"]])})
    assert found.values["BLEU"] == pytest.approx(1.0)


def test_a_program_that_fails(fake_java):
    fake_java("crash METEOR")
    with pytest.raises(ValueError, match="METEOR failed with exit code 3: no heap left"):
        list(score({"x": System(OUTPUTS, REFERENCES)}))


def test_references_are_tokenized_once(fake_java, monkeypatch):
    counts = []
    plain = java.tokenized
    monkeypatch.setattr(java, "tokenized", lambda texts, limit: (
        counts.append(len(texts)), plain(texts, limit))[1])
    list(score({"x": System(OUTPUTS, REFERENCES), "y": System(OUTPUTS, REFERENCES),
                "z": System(OUTPUTS[:1], REFERENCES[:1])}))
    assert counts == [3, 2, 2, 2, 1]
