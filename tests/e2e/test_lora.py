"""run_finetune.py --lora_dim, as a user runs it: an adapter is trained, resumed and opened."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

import run_finetune
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint, lora, merge_adapter
from tests.e2e.test_finetuning import (  # noqa: F401  fixtures
    base,
    dataset,
    flags,
    records,
)

LORA = ("--lora_dim", 4, "--lora_alpha", 16, "--lora_target_modules", "c_attn", "c_proj")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tmp_path_factory.mktemp("adapter") / "run"


@pytest.fixture
def trained(whole, flags, capsys):  # noqa: F811
    if not whole.exists():
        run_finetune.main(flags(whole, *LORA, "--lora_dropout", 0.1, "--lr", 0.02))
        (whole / "told.txt").write_text(capsys.readouterr().out)
    return whole


def adapters(run):
    return {path.relative_to(run): path.read_bytes()
            for path in run.glob("**/*.safetensors")}


def test_it_learns_and_says_what_it_trains(trained, base, dataset):  # noqa: F811
    valid = [record["valid_loss"] for record in records(trained, "valid_loss")]
    assert valid[-1] < valid[0]
    told = (trained / "told.txt").read_text()
    # A and B of c_attn, attn.c_proj and mlp.c_proj, and the rows of three control tokens.
    count = 4 * (16 + 48) + 4 * (16 + 16) + 4 * (64 + 16) + 3 * 16
    assert (f"LoRA on 3 layers, attn.c_attn in block 0, attn.c_proj in block 0, mlp.c_proj in "
            f"block 0; {count:,} of ") in told
    assert "warning: c_proj means two layers of each block" in told
    last = checkpoint.newest(trained)
    assert not (last / "model.safetensors").exists()
    stored = load_file(last / "adapter_model.safetensors")
    assert sum(values.size for values in stored.values()) == count
    assert len(load_file(last / "optimizer.safetensors")) == 4 * len(stored)


def test_resumed_it_is_the_same_run(trained, flags, tmp_path):  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    for step, path in checkpoint.checkpoints(run).items():
        if step > 4:
            shutil.rmtree(path)
    run_finetune.main(flags(run, *LORA, "--lora_dropout", 0.1, "--lr", 0.02, "--restore_training"))
    assert adapters(run) == adapters(trained)
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(run, key)] == [r[key] for r in records(trained, key)]


def test_recompute_changes_nothing(trained, flags, tmp_path):  # noqa: F811
    run_finetune.main(flags(tmp_path / "run", *LORA, "--lora_dropout", 0.1, "--lr", 0.02,
                            "--use_recompute"))
    for key in ("loss", "valid_loss"):
        assert [r[key] for r in records(tmp_path / "run", key)] == pytest.approx(
            [r[key] for r in records(trained, key)], rel=1e-5)


def test_peft_opens_it(trained, base):  # noqa: F811
    peft, torch = pytest.importorskip("peft"), pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    last = checkpoint.newest(trained)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(len(transformers.AutoTokenizer.from_pretrained(last)))
    theirs = peft.PeftModel.from_pretrained(model, last).eval()
    new = Tokenizer.load(base).vocab_size
    ids = [[new + 1, 5, 9, 13, 2], [new, 3, 3, 7, 21]]
    with torch.no_grad():
        expected = theirs(torch.tensor(ids)).logits.numpy()
    import paddle
    ours = lora.load_merged(None, last)
    ours.eval()
    np.testing.assert_allclose(ours(paddle.to_tensor(ids)).numpy(), expected, rtol=0, atol=1e-5)


def test_it_is_merged_with_its_tokenizer(trained, base, tmp_path, capsys):  # noqa: F811
    last = checkpoint.newest(trained)
    merge_adapter.main([str(base), str(last), str(tmp_path / "out")])
    model = checkpoint.load_language_model(tmp_path / "out")
    assert model.config.vocab_size == Tokenizer.load(tmp_path / "out").vocab_size
    assert json.loads((last / "config.json").read_text())["vocab_size"] == model.config.vocab_size


@pytest.mark.parametrize(("words", "said"), [
    (("--lora_alpha", 3), "--lora_alpha means nothing without --lora_dim"),
    ((*LORA, "--model_name_or_path", "distilgpt2"), "--lora_dim trains an adapter on weights"),
    (("--lora_dim", 4, "--lora_target_modules", "q_proj"), "q_proj means no layer"),
    ((*LORA, "--model_class", "paddle_impl.model:GPTForCausalLM"), "GPT-2's own layers"),
    ((*LORA, "--mp_degree", 2), "mp_degree"),
])
def test_mistakes_are_told_in_one_line(flags, tmp_path, capsys, words, said):  # noqa: F811
    with pytest.raises(SystemExit) as end:
        run_finetune.main(flags(tmp_path / "run", *words))
    err = capsys.readouterr().err
    assert end.value.code == 2 and said in err and err.strip().count("\n") == 0


@pytest.mark.parametrize(("words", "said"), [
    (LORA[:2], "another LoRA: --lora_dim 4 there"), ((), "holds an adapter: pass"),
])
def test_a_resumed_run_has_the_same_adapter(trained, flags, tmp_path, capsys, words, said):  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    with pytest.raises(SystemExit):
        run_finetune.main(flags(run, *words, "--restore_training"))
    assert said in capsys.readouterr().err


def test_an_adapter_is_trained_further_on_other_data(trained, flags, tmp_path):  # noqa: F811
    last = checkpoint.newest(trained)
    words = flags(tmp_path / "run", *LORA, "--lr", 1e-9, "--init_from", last,
                  "--num_epochs_train", 1)
    run_finetune.main(words[2:])  # without --model_name_or_path
    first = records(tmp_path / "run", "lr")[0]["loss"]
    assert first < records(trained, "lr")[0]["loss"]


def test_whole_weights_of_the_same_task_are_a_base_where_init_from_says_so(
    flags, tmp_path, capsys  # noqa: F811
):
    whole, words = tmp_path / "whole", ("--num_epochs_train", 1)
    run_finetune.main(flags(whole, *words))
    last = checkpoint.newest(whole)
    for start in (("--model_name_or_path", last), ("--restore_training", "--output_dir", whole)):
        with pytest.raises(SystemExit):
            run_finetune.main(flags(tmp_path / "run", *LORA, *words, *start))
        assert f"--init_from {last} starts LoRA from them" in capsys.readouterr().err
    run_finetune.main(flags(tmp_path / "run", *LORA, *words, "--init_from", last)[2:])
    told = json.loads((checkpoint.newest(tmp_path / "run") / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == str(last)
    assert told["trainable_token_indices"] is None  # the base has the control tokens
