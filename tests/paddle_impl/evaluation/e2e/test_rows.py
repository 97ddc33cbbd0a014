import pytest

from paddle_impl.evaluation.e2e import rows
from paddle_impl.evaluation.e2e.scores import METRICS, Scores

CONTEXTS = ["name : A | Type : pub | area : riverside", "name : B"]
REFERENCES = [["one", "two", "three"], ["four"]]


def test_the_meaning_representation_itself():
    assert rows.echo(CONTEXTS, REFERENCES)[:2] == (CONTEXTS, REFERENCES)


def test_one_template():
    assert rows.template(CONTEXTS, REFERENCES).outputs == [
        "A is a pub in the riverside area .", "B is a place ."]
    assert rows.sentence(
        "near : N | name : A | customer rating : low | price : £ 20 | family friendly : no | "
        "food : Thai") == ("A is a place serving Thai food in the £ 20 price range with a low "
                           "customer rating near N that is not family friendly .")
    assert rows.sentence("name : A | family friendly : yes").endswith("that is family friendly .")
    with pytest.raises(ValueError, match="has no name"):
        rows.sentence("area : riverside")


def test_a_human_text_against_the_others():
    found = rows.human(REFERENCES)
    assert found[:2] == (["one"], [["two", "three"]])
    assert "1 instances with one are left out" in found.about
    with pytest.raises(ValueError, match="no instance has two references"):
        rows.human([["one"]])


def test_the_table():
    known = Scores(dict(zip(METRICS, (0.5, 1.25, 0.1, 0.2, 0.3), strict=True)))
    without = Scores({**known.values, "METEOR": None}, {"METEOR": "needs Java"})
    assert rows.markdown({"a|b": known, "c": without}) == (
        "| system | BLEU | NIST | METEOR | ROUGE_L | CIDEr |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n"
        "| a\\|b | 0.5000 | 1.2500 | 0.1000 | 0.2000 | 0.3000 |\n"
        "| c | 0.5000 | 1.2500 | not computed: needs Java | 0.2000 | 0.3000 |")
