"""inspect shows counts, documents and the samples of a run, and where files are damaged."""

import json

import numpy as np
import pytest

from data_tools import index_helper
from data_tools.index_helper import reference
from data_tools.inspect import main
from data_tools.inspecting.sample import bounds_of, ids_of, window
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

TEXTS = ["def add(a, b):\n    return a + b\n", "caf\u00e9 \U0001f642", "x", "\n\n  y = 1\n" * 9]


@pytest.fixture
def prefix(tmp_path, tokenizer):
    eos = tokenizer.eos_token_id
    with TokenFileWriter(tmp_path / "x", tokenizer.vocab_size, tokenizer) as writer:
        for text in TEXTS:
            writer.append(np.append(tokenizer.encode(text), eos))
        size = sum(len(text.encode()) for text in TEXTS)
        writer.meta = {"eos_token_id": eos, "append_eos": True, "utf8_bytes": size}
    return str(tmp_path / "x")


@pytest.fixture
def counting(tmp_path):
    """PaddleNLP's files without a tokenizer: documents of 3, 0, 1, 4 and 5 tokens; token i is i."""
    np.save(tmp_path / "n_ids.npy", np.arange(13, dtype=np.uint16))
    lens = np.array([2, 1, 0, 1, 4, 5], np.int32)
    np.savez(tmp_path / "n_idx.npz", lens=lens, docs=np.array([0, 2, 3, 4, 5, 6]))
    return str(tmp_path / "n")


@pytest.fixture
def run(capfdbinary):
    def run(*arguments, code=0):
        assert main([str(argument) for argument in arguments]) == code
        return capfdbinary.readouterr()

    return run


def test_the_summary(prefix, run, tokenizer):
    data = TokenFile.open(prefix)
    out = run(prefix).out.decode().splitlines()
    assert out[0] == f"{prefix}: 4 documents, 4 sentences, {len(data.ids)} tokens (uint16)"
    per_token = data.meta["utf8_bytes"] / len(data.ids)
    assert f"text: {data.meta['utf8_bytes']} bytes, {per_token:.3f} bytes per token" in out
    assert (
        f"tokenizer: x_tokenizer, vocabulary {tokenizer.vocab_size}, fingerprint "
        f"{tokenizer.fingerprint()[:12]}, end token 0 after each document"
    ) in out


def test_the_summary_as_json(counting, run):
    summary = json.loads(run(counting + "_ids.npy", "--json").out)
    counts = [summary[key] for key in ("documents", "sentences", "tokens", "dtype")]
    assert counts == [5, 6, 13, "uint16"]
    assert summary["vocab_size"] is None and summary["bytes_per_token"] is None
    assert summary["lengths"]["mean"] == 2.6
    assert [summary["lengths"][key] for key in ("min", "p50", "p99", "max")] == [0, 3, 4, 5]
    assert summary["histogram"] == [[0, 0, 1], [1, 1, 1], [2, 3, 1], [4, 7, 2]]


def test_the_text_histogram(tmp_path, run):
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        for length, count in ((1, 80), (3, 1), (1000, 40), (1023, 1), (1024, 1)):
            for _ in range(count):
                writer.append(np.ones(length, np.int32))
    out = run(tmp_path / "x").out.decode().splitlines()
    assert [line[2:] for line in out[-11:]] == [
        "          1  80  " + "#" * 40,
        "        2-3   1  #",
        "        4-7   0",
        "       8-15   0",
        "      16-31   0",
        "      32-63   0",
        "     64-127   0",
        "    128-255   0",
        "    256-511   0",
        "  512-1,023  41  " + "#" * 21,
        "1,024-2,047   1  #",
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_document_comes_out_byte_for_byte(prefix, run, number):
    shown = run(prefix, "--document", number)
    assert shown.out == TEXTS[number].encode()
    assert f"document {number}: tokens 0 to ".encode() in shown.err
    as_json = json.loads(run(prefix, "--document", number, "--json").out)
    assert as_json["text"] == TEXTS[number] and as_json["ids"][-1] == 0


def test_ids_need_no_tokenizer(counting, run):
    assert run(counting, "--document", 3, "--ids").out == b"4 5 6 7\n"
    assert run(counting, "--document", 1, "--ids").out == b"\n"
    assert b"give --tokenizer DIR or --ids" in run(counting, "--document", 3, code=2).err


def test_another_tokenizer_can_be_named(prefix, counting, run):
    shown = run(counting, "--document", 4, "--tokenizer", prefix + "_tokenizer")
    assert shown.out == bytes(range(ord("!") + 7, ord("!") + 12))


@pytest.mark.parametrize(
    ("sample", "ids", "places"),
    [
        (0, "0 1 2 3 4", [(0, 0, 2), (2, 0, 0), (3, 0, 0)]),
        (1, "4 5 6 7 8", [(3, 0, 3), (4, 0, 0)]),
        (2, "8 9 10 11 12", [(4, 0, 4)]),
        (3, "12 0 1 2 3", [(4, 4, 4), (0, 0, 2), (2, 0, 0)]),
    ],
)
def test_samples_are_windows_of_the_documents(counting, run, sample, ids, places):
    flags = ("--sample", sample, "--seq_length", 4, "--split", 1, "--ids")
    shown = run(counting, *flags)
    assert shown.out.decode() == ids + "\n"
    pieces = json.loads(run(counting, *flags, "--json").out)["pieces"]
    assert [(p["document"], p["first"], p["last"]) for p in pieces] == places
    for document, first, last in places:
        assert f"document {document}: tokens {first} to {last} of".encode() in shown.err


@pytest.mark.parametrize("order", ["paddlenlp", "megatron"])
@pytest.mark.parametrize(("num_samples", "seed"), [(2, 1234), (7, 1234), (40, 5), (4, 0)])
def test_samples_are_those_of_a_run(counting, run, num_samples, seed, order):
    data = TokenFile.open(counting)
    bounds = bounds_of("3,2", len(data))
    documents = np.arange(bounds[0], bounds[1], dtype=np.int32)
    built = index_helper.build_indices(data.document_sizes, documents, 3, num_samples, seed, order)
    for n, i in enumerate(built[2].tolist()):
        tokens = reference.sample(data.ids, data.document_offsets, *built[:2], i, 3).tolist()
        if order == "paddlenlp":
            pieces = window(data, (bounds[0], bounds[1]), i, 3)
            assert ids_of(data, pieces).tolist() == tokens
        flags = ("--seq_length", 3, "--num_samples", num_samples, "--seed", seed, "--split", "3/2",
                 "--data_order", order)  # fmt: skip
        shown = json.loads(run(counting, "--sample", n, *flags, "--ids", "--json").out)
        assert shown["ids"] == tokens and shown["before_shuffling"] == i
    past = run(counting, "--sample", len(built[2]), *flags, code=2).err
    assert f"the run has {len(built[2])}, 0 to".encode() in past


def test_the_parts_of_a_split(counting, run):
    flags = ("--seq_length", 2, "--split", "2,3", "--ids")
    assert run(counting, "--sample", 0, "--part", "valid", *flags).out == b"3 4 5\n"
    error = run(counting, "--sample", 0, "--part", "test", *flags, code=2).err
    assert b"hold no tokens, so there are no samples" in error
    for split in ("a,b", "1,2,3,4", "0,0", "-1,2", "nan", "inf"):
        error = run(counting, "--sample", 0, f"--split={split}", code=2).err
        assert b"expected three weights like 949,50,1" in error


def test_verify_names_the_first_bad_place(prefix, run):
    assert b"verified: all" in run(prefix, "--verify").err
    assert json.loads(run(prefix, "--verify", "--json").out)["problems"] == []
    ids = np.lib.format.open_memmap(prefix + "_ids.npy", mode="r+")
    ids[3] = 301
    ids.flush()
    shown = run(prefix, "--verify", code=1)
    assert b"problem: id 301 at token 3 (document 0, byte 134 of x_ids.npy)" in shown.err
    assert len(json.loads(run(prefix, "--verify", "--json", code=1).out)["problems"]) == 2


def test_verify_compares_the_tokenizer(prefix, run):
    path = prefix + "_meta.json"
    meta = json.loads(open(path).read()) | {"tokenizer_fingerprint": "0" * 64}
    with open(path, "w") as file:
        json.dump(meta, file)
    error = run(prefix, "--verify", code=1).err
    assert b"the ids were made with 000000000000" in error


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_the_plot(counting, tmp_path, run, ending, start):
    pytest.importorskip("matplotlib")
    run(counting, "--plot", tmp_path / f"lengths.{ending}")
    assert (tmp_path / f"lengths.{ending}").read_bytes().startswith(start)


def test_unusable_input_is_one_line(prefix, counting, tmp_path, run):
    assert b"no data in" in run(tmp_path / "gone", code=2).err
    assert b"holds 2 datasets, name one" in run(tmp_path, code=2).err
    error = run(prefix, "--document", 4, code=2).err
    assert b"document 4 of" in error and error.count(b"\n") == 1


@pytest.mark.parametrize(
    "flags",
    [
        "--document 1 --sample 1", "--seq_length 4", "--sample -1", "--ids", "--plot x.pdf",
        "--sample 1 --seed 3", "--num_samples 4", "--unknown", "--split 1",
    ],
)  # fmt: skip
def test_flags_that_make_no_sense_are_one_line(flags, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["x", *flags.split()])
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_chunks_are_those_of_a_tokenizer_with_overflow(tmp_path, run):
    """The example of the source: three documents in six blocks."""
    with TokenFileWriter(tmp_path / "x", 10) as writer:
        for length in (2524, 1631, 615, 5000):
            writer.append(np.ones(length, np.int32))
    found = json.loads(run(tmp_path / "x", "--chunks", 1024, "--split", "3,1,0", "--json").out)
    assert found["lengths"] == [1024, 1024, 476, 1024, 607, 615]
    assert found["mapping"] == [0, 0, 0, 1, 1, 2]
    assert found["samples"] == {"keep": 6, "drop": 3, "windows": 4}
    held_out = run(tmp_path / "x", "--chunks", 100, "--split", "3,1,0", "--part", "valid").out
    assert held_out.decode().splitlines() == [
        "samples of 100 tokens in valid, 1 documents, by --packing: 50 keep, 50 drop, 49 windows",
        f"chunk lengths: {[100] * 16} and more", f"chunk mapping: {[0] * 16} and more"]


def test_tokens_of_a_text_by_two_tokenizers(prefix, run, gpt2_dir):
    """GPT-2's are those that the source prints."""
    text = 'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'
    told = run(prefix, "--tokens", text, "--beside", gpt2_dir).out.decode().splitlines()
    assert told[0] == f"{gpt2_dir} (50,257 tokens) makes 36:"
    assert told[1].startswith("  ['def', '\u0120add', '_', 'n', 'umbers', '(', 'a', ',', '\u0120b'")
    assert told[1].endswith("'\u010a', '\u0120', '\u0120', '\u0120', '\u0120return', '\u0120a', "
                            "'\u0120+', '\u0120b']")
    own = json.loads(run(prefix, "--tokens", "def <|endoftext|>", "--json").out)["tokens"]
    assert "".join(own[0]["tokens"]) == "def\u0120<|endoftext|>" and len(own[0]["tokens"]) > 5


@pytest.mark.parametrize(("words", "said"), [
    (["--chunks", 0], "--chunks must be at least 1"),
    (["--chunks", 5, "--document", 1], "--document and --chunks both name what to print"),
    (["--beside", "x"], "--beside is for --tokens"),
    (["--record", "--verify"], "--verify is not for --record"),
    (["--split", "1,1,1"], "--split is for --sample N"),
])
def test_flags_that_do_not_go_together(counting, words, said, capsys):
    with pytest.raises(SystemExit):
        main([counting, *map(str, words)])
    assert said in capsys.readouterr().err
