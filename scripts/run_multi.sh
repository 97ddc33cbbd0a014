#!/usr/bin/env bash
# Pretrains on all GPUs of this machine (choose some with CUDA_VISIBLE_DEVICES), or on CPU processes
# (PROCESSES=2), with paddle.distributed.launch.
# usage: scripts/run_multi.sh [run_pretrain.py flags]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare

if [ "$(value_of --input_dir "" "$@")" = "" ] && [ ! -f data_tools/code_python_ids.npy ]; then bash scripts/process_data.sh; fi

task_name="gpt-dygraph"
output=$(value_of --output_dir "output/$task_name" "$@")
device=$(value_of --device "$(detect_device)" "$@")
if [ "$device" = gpu ]; then
    gpus="${CUDA_VISIBLE_DEVICES:-$(nvidia-smi --query-gpu=index --format=csv,noheader | paste -sd, -)}"
    launch=(--gpus "$gpus")
    model=(--model_name_or_path gpt2-en --max_seq_len 1024 --max_steps 500000)
else
    launch=(--nproc_per_node "${PROCESSES:-2}")
    # Empty, as one sets it to hide the GPUs, it makes the launcher fail.
    [ -n "${CUDA_VISIBLE_DEVICES:-}" ] || unset CUDA_VISIBLE_DEVICES
    model=(--model_name_or_path code-mini --max_seq_len 256 --max_steps 500)
fi

exec "$python" -m paddle.distributed.launch "${launch[@]}" --log_dir "$output/log" \
    run_pretrain.py \
    --model_type "gpt" \
    "${model[@]}" \
    --input_dir "./data_tools" \
    --output_dir "$output" \
    --micro_batch_size 4 \
    --max_lr 0.00015 \
    --min_lr 0.00001 \
    --save_steps 100000 \
    --decay_steps 320000 \
    --weight_decay 0.01 \
    --warmup_rate 0.01 \
    --grad_clip 1.0 \
    --logging_freq 1 \
    --eval_freq 1000 \
    --device "$device" \
    "$@"
