#!/usr/bin/env bash
# PYCPilot: a GPT-2 that completes Python, from records of source code to a checkpoint per epoch.
# usage: scripts/pycpilot.sh [FILE|DIR ...] [run_pretrain.py flags, which override those below]
#
# FILE, DIR: records with CodeParrot's columns (repo_name, path, copies, size, content, license) in
# .parquet, .arrow or .jsonl, or a folder of them; relative to the current folder. Without one, the
# Python code on this machine is written as such records. Environment variables, with their defaults:
#   VOCAB_SIZE=52000      tokens to learn
#   EPOCHS=5              passes over the training documents; a checkpoint and completions after each
#   SEED=1234             of the record that is shown, the order of samples, the weights
#   VALID=                FILE or DIR of records to validate on, instead of a share of the documents
#   KEYWORDS=             take only records whose code holds one of these words, such as "pandas sklearn"
#   MAX_FILES=            without FILE or DIR: files at most
#   DATA=dataset/pycpilot where records and token files go, from the project's root
#   GPT2_TOKENIZER=       folder of GPT-2's tokenizer, to see its tokens beside the new ones
#
# The defaults take days on a GPU. Some minutes on two cores:
#   VOCAB_SIZE=2048 EPOCHS=2 MAX_FILES=300 bash scripts/pycpilot.sh --model_name_or_path code-mini \
#       --max_seq_len 256 --micro_batch_size 8 --max_lr 0.002 --warmup_steps 20
set -euo pipefail
inputs=()
while [[ $# -gt 0 && "$1" != -* ]]; do inputs+=("$(realpath "$1")"); shift; done
valid=${VALID:+$(realpath "$VALID")}
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare
data=${DATA:-dataset/pycpilot}
seed=$(value_of --seed "${SEED:-1234}" "$@")
device=$(value_of --device "$(detect_device)" "$@")
output_dir=$(value_of --output_dir output/pycpilot "$@")
length=$(value_of --max_seq_len 1024 "$@")
packing=$(value_of --packing keep "$@")
split=$(value_of --split 994,5,1 "$@")
if [ -n "$valid" ] && [ -n "$(value_of --split "" "$@")" ]; then
    echo "error: VALID names the validation data, so leave --split out" >&2
    exit 2
fi
micro_batch=$(value_of --micro_batch_size 4 "$@")
batch=$(value_of --global_batch_size "$micro_batch" "$@")
mkdir -p "$data"

echo "== records"
if [ ${#inputs[@]} -eq 0 ]; then
    "$python" -m data_tools.create_code_records --output_file "$data/records.jsonl" \
        --language python --seed "$seed" ${MAX_FILES:+--max_files "$MAX_FILES"}
    inputs=("$data/records.jsonl")
fi
"$python" -m data_tools.inspect "${inputs[0]}" --record --seed "$seed"

echo "== tokenizer and token files"
read -ra keywords <<< "${KEYWORDS:-}"
# token_files PREFIX INPUT... FLAGS
token_files() {
    "$python" -m data_tools.create_pretraining_data --output_prefix "$1" --input_path "${@:2}" \
        --json_key content --suffixes parquet arrow jsonl ndjson --seed "$seed" \
        ${keywords[@]:+--keywords "${keywords[@]}"}
}
if [ -z "$valid" ]; then
    token_files "$data/code" "${inputs[@]}" --vocab_size "${VOCAB_SIZE:-52000}"
else
    token_files "$data/train" "${inputs[@]}" --vocab_size "${VOCAB_SIZE:-52000}"
    token_files "$data/valid" "$valid" --tokenizer "$data/train_tokenizer"
    joined=$("$python" -m data_tools.merge "$data/code" --datasets "$data/train" "$data/valid")
    echo "$joined"
    split=$(sed -n 's/^--split \([0-9,]*\) .*/\1/p' <<< "$joined")
fi
if [ -z "${GPT2_TOKENIZER:-}" ]; then
    echo "GPT-2's tokenizer is not shown beside it: its folder is named by GPT2_TOKENIZER"
fi
"$python" -m data_tools.inspect "$data/code" ${GPT2_TOKENIZER:+--beside "$GPT2_TOKENIZER"} \
    --tokens $'def add_numbers(a, b):\n    """Add the two numbers `a` and `b`."""\n    return a + b'

echo "== samples"
"$python" -m data_tools.inspect "$data/code" --chunks "$length" --split "$split"
samples=$("$python" -m data_tools.inspect "$data/code" --chunks "$length" --split "$split" --json |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["samples"][sys.argv[1]])' "$packing")
epoch=$(((samples + batch - 1) / batch))
echo "an epoch has $epoch steps of $batch samples"

echo "== training"
printf '%s\n' 'class MLP(nn.Module):' 'def add_numbers(a, b):' 'import numpy as np' > "$data/prompts.txt"
"$python" -u run_pretrain.py --model_type gpt --model_name_or_path pycpilot \
    --n_positions "$length" --input_dir "$data/code_ids.npy" --output_dir "$output_dir" --split "$split" \
    --max_seq_len "$length" --packing "$packing" --micro_batch_size "$micro_batch" \
    --scheduler cosine --warmup_steps 1000 --max_lr 5e-5 --weight_decay 0.01 --grad_clip 1.0 \
    --max_steps $((epoch * ${EPOCHS:-5})) --save_steps "$epoch" --eval_freq "$epoch" \
    --logging_freq 100 --test_file "$data/prompts.txt" --max_dec_len 64 --top_k 5 --top_p 0.75 \
    --temperature 1.2 --seed "$seed" --device "$device" "$@"

echo "== completions of ten prompts by each checkpoint"
answers=()
for checkpoint in $(find "$output_dir" -maxdepth 1 -regex '.*/model_[0-9]+' | sort -V); do
    "$python" run_evaluation.py --model_name_or_path "$checkpoint" --minitest --device "$device" \
        --output_file "$output_dir/minitest_${checkpoint##*_}.json" > /dev/null
    answers+=("$output_dir/minitest_${checkpoint##*_}.json")
done
"$python" run_evaluation.py --compare "${answers[@]}" > "$output_dir/completions.txt"
echo
echo "checkpoints  $output_dir/model_*, the last one is $(newest_checkpoint "$output_dir")"
echo "log          $output_dir/metrics.jsonl"
echo "completions  $output_dir/completions.txt"
echo "write more   bash scripts/run_generate.sh $(newest_checkpoint "$output_dir") --prompt \"class MLP(nn.Module):\""
