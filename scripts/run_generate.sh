#!/usr/bin/env bash
# Generates with the newest checkpoint of output/, or with the directory given first.
# usage: scripts/run_generate.sh [CHECKPOINT] [run_generation.py flags]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare

if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
    checkpoint=$(cd "$caller" && realpath "$1")
    shift
else
    checkpoint=$(ls -d output/model_* 2>/dev/null | sort -t_ -k2 -n | tail -1)
    [ -n "$checkpoint" ] || { echo "run_generate: no checkpoint in output/; train one with bash scripts/run.sh" >&2; exit 2; }
fi

exec "$python" -u run_generation.py \
    --model_type "gpt2-en" \
    --model_name_or_path "$checkpoint" \
    --decode_strategy sampling \
    --top_k 10 \
    --temperature 0.5 \
    --num_return_sequences 10 \
    --max_dec_len 512 \
    --device "$(detect_device)" \
    "$@"
