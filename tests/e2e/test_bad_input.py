"""A user's mistake gives one line and exit code 2; no file is written or changed."""

import json
import shutil

import numpy as np
import pytest

import run_evaluation
import run_generation
import run_pretrain


def tree(*directories):
    return {
        path: path.read_bytes() if path.is_file() else None
        for directory in directories if directory.exists()
        for path in sorted(directory.rglob("*")) if "indexmap" not in path.name
    }


@pytest.fixture
def data(tiny_data, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(tiny_data, tmp_path / "data")


@pytest.fixture
def refused(flags, tmp_path, capsys):
    """Check that the run is refused with `message`; returns the output."""

    def check(message, *more, main=run_pretrain.main, argv=None):
        output = tmp_path / "output"
        before = tree(tmp_path)
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(argv if argv is not None else flags(output, *more))
        assert exit_.value.code == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert message in err, err
        assert tree(tmp_path) == before
        return err

    return check


def test_no_data(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    err = refused("no data in", "--input_dir", tmp_path / "empty")
    assert "process_data.sh" in err


def test_ids_and_index_disagree(refused, data):
    lens = np.load(data / "code_idx.npz")["lens"].copy()
    lens[0] += 1
    np.savez(data / "code_idx.npz", lens=lens, docs=np.arange(len(lens) + 1))
    refused("code_idx.npz", "--input_dir", data)


def test_truncated_ids(refused, data):
    ids = data / "code_ids.npy"
    ids.write_bytes(ids.read_bytes()[:-100])
    refused("code_ids.npy", "--input_dir", data)


@pytest.mark.parametrize("value", [2048, 60000])
def test_an_id_beyond_the_vocabulary(refused, data, value):
    ids = np.load(data / "code_ids.npy")
    ids[17] = value
    np.save(data / "code_ids.npy", ids)
    refused(f"ids from 0 to {value}, the model's vocabulary is 0 to 2047", "--input_dir", data)


def test_a_negative_id(refused, data):
    ids = np.load(data / "code_ids.npy").astype(np.int32)
    ids[17] = -1
    np.save(data / "code_ids.npy", ids)
    (data / "code_meta.json").unlink()
    refused("ids from -1", "--input_dir", data)


def test_rates_that_rise(refused):
    refused("--min_lr 0.1 is above --max_lr 0.001", "--min_lr", "0.1")


def test_a_window_beyond_the_positions(refused):
    refused("--max_seq_len 257 is beyond the model's 256 positions", "--max_seq_len", 257)


def test_an_unknown_model_lists_the_known(refused):
    err = refused("unknown model 'gpt9'", "--model_name_or_path", "gpt9")
    assert "gpt2-en" in err and "code-mini" in err


def test_a_model_that_is_not_of_its_type(refused):
    refused("does not go with", "--model_type", "gpt2-cn")


def test_no_gpu(refused):
    refused("--device gpu", "--device", "gpu")


def test_a_batch_that_does_not_divide(refused):
    refused("not a multiple", "--global_batch_size", 3)


def test_an_output_that_holds_another_run(refused, pretrain, tmp_path):
    pretrain(tmp_path / "output")
    refused("holds another run; continue it with --resume")
    refused("is at step 6 already", "--resume")
    refused("model_6 is later than step 3", "--model_name_or_path", tmp_path / "output" / "model_3")


@pytest.mark.parametrize(("more", "what"), [
    (["--seed", "9"], "another seed: 1234 there, 9 now"),
    (["--micro_batch_size", "4"], "another global batch size: 2 there, 4 now"),
    (["--max_seq_len", "16"], "another order key"),
])
def test_a_resume_of_something_else(refused, pretrain, tmp_path, more, what):
    pretrain(tmp_path / "output")
    shutil.rmtree(tmp_path / "output" / "model_6")
    refused(what, "--resume", *more)


def test_a_tokenizer_that_did_not_make_the_data(refused, data):
    meta = json.loads((data / "code_meta.json").read_text())
    meta["tokenizer_fingerprint"] = "0" * 64
    (data / "code_meta.json").write_text(json.dumps(meta))
    refused("another tokenizer", "--input_dir", data)


def test_a_damaged_checkpoint(refused, pretrain, tmp_path):
    pretrain(tmp_path / "output")
    shutil.rmtree(tmp_path / "output" / "model_6")
    path = tmp_path / "output" / "model_3" / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    refused("optimizer.safetensors: damaged", "--resume")


def test_an_empty_validation_split_warns_and_goes_on(pretrain, tmp_path, capsys):
    pretrain(tmp_path / "output", "--split", "1,0,0")
    out = capsys.readouterr().out
    assert "warning: the valid split is empty" in out and "warning: the test split" in out
    assert "valid_loss" not in (tmp_path / "output" / "metrics.jsonl").read_text()
    assert (tmp_path / "output" / "model_6").is_dir()


def test_no_document_for_training(refused):
    refused("has no document for training", "--split", "0,1,0")


@pytest.mark.parametrize("main", [run_generation.main, run_evaluation.main])
def test_no_checkpoint_to_read(refused, tmp_path, tiny_data, main):
    more = ["--input_dir", str(tiny_data)] if main is run_evaluation.main else []
    argv = ["--model_name_or_path", str(tmp_path / "none"), "--device", "cpu", *more]
    refused("is no checkpoint directory", main=main, argv=argv)
