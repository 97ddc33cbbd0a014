import pytest

from paddle_impl.evaluation.e2e import java


def test_one_line_for_each_text_without_punctuation(fake_java):
    texts = ["It is A.", "", "one\ntwo\u2028three", "£ é", ""]
    assert java.tokenized(texts) == ["it is a", "", "one two three", "£ é", ""]
    assert java.tokenized(["", ""]) == ["", ""]


def test_meteor_is_asked_for_several_systems(fake_java):
    seen = []

    def progress(instances):
        seen.append(len(instances))
        return instances

    with java.Meteor() as meteor:
        references = [["a b", "c"], ["d ||| e"]]
        assert meteor.score(["c", "x"], references, progress) == 0.25
        assert meteor.score(["a b", "d e"], references, progress) == 0.5
        process = meteor._process
    assert seen == [2, 2] and process.poll() is not None


@pytest.mark.parametrize(("mode", "limit", "message"), [
    ("crash", 200, "exit code 3: no heap left"),
    ("hang", 1, "longer than 1 seconds and was ended")])
def test_what_a_program_said_is_shown(fake_java, mode, limit, message):
    fake_java(mode)
    with java.Meteor(limit) as meteor:
        with pytest.raises(ValueError, match=f"METEOR.*{message}"):
            meteor.score(["a"], [["a"]])
        assert meteor._process.poll() is not None
    with pytest.raises(ValueError, match=f"tokenizer.*{message}"):
        java.tokenized(["a"], limit)
