#!/usr/bin/env bash
# Trains a GPT, measures it and shows some generated text. Makes the environment and data if missing.
# usage: scripts/run.sh [run_pretrain.py flags, which override those below]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare
device=$(value_of --device "$(detect_device)" "$@")
input_dir=$(value_of --input_dir ./data_tools "$@")
output_dir=$(value_of --output_dir output "$@")
if [ "$input_dir" = ./data_tools ] && [ ! -f data_tools/code_python_ids.npy ]; then
    # The vocabulary must fit the model: gpt2-en has 50,257 tokens, code-mini 2,048.
    if [ "$device" = gpu ]; then bash scripts/process_data.sh --vocab_size 32000; else bash scripts/process_data.sh; fi
fi

if [ "$device" = gpu ]; then
    # The specification's values.
    split=949,50,1
    flags=(--model_name_or_path gpt2-en --max_seq_len 1024 --micro_batch_size 4
        --max_lr 0.00015 --min_lr 0.00001 --max_steps 50000 --save_steps 100000
        --decay_steps 320000 --weight_decay 0.01 --warmup_rate 0.01 --logging_freq 1
        --eval_freq 1000)
else
    # A model and a number of steps that take about seven minutes on two cores.
    split=987,12,1
    flags=(--model_name_or_path code-mini --max_seq_len 256 --micro_batch_size 8
        --max_lr 0.004 --min_lr 0.0001 --max_steps 1500 --save_steps 500
        --decay_steps 0 --weight_decay 0.1 --warmup_rate 0.05 --adam_beta2 0.95
        --hidden_dropout_prob 0 --attention_probs_dropout_prob 0 --logging_freq 20
        --eval_freq 250 --eval_iters 8)
fi

split=$(value_of --split "$split" "$@")

"$python" -u run_pretrain.py \
    --model_type "gpt" \
    --input_dir "$input_dir" \
    --output_dir "$output_dir" \
    --split "$split" \
    --grad_clip 1.0 \
    --device "$device" \
    "${flags[@]}" "$@"

checkpoint=$(newest_checkpoint "$output_dir")
echo
"$python" -u run_evaluation.py --model_name_or_path "$checkpoint" --input_dir "$input_dir" \
    --split "$split" --device "$device" --output_file "$output_dir/evaluation.json"
echo
"$python" -u run_generation.py --model_name_or_path "$checkpoint" --device "$device" \
    --decode_strategy sampling --top_k 20 --temperature 0.8 --max_dec_len 80 \
    --prompt "import os" "class Test" "#include <"
echo
echo "checkpoint   $checkpoint"
echo "log          $output_dir/metrics.jsonl"
echo "curves       .venv/bin/visualdl --logdir $output_dir/train_log"
echo "write more   bash scripts/run_generate.sh $checkpoint --prompt \"def main(\""
