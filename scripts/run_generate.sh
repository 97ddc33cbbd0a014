#!/usr/bin/env bash
# Generates text with the newest checkpoint in output/, or with the directory given as first argument.
# usage: scripts/run_generate.sh [CHECKPOINT] [run_generation.py flags]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare

if [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; then
    checkpoint=$(cd "$caller" && realpath "$1")
    shift
else
    checkpoint=$(newest_checkpoint "$root/output")
    [ -n "$checkpoint" ] || { echo "run_generate: no checkpoint in output/; train one with bash scripts/run.sh" >&2; exit 2; }
fi

# The specification's flags, unless the arguments choose another decoding strategy or another mode.
flags=(--decode_strategy sampling --top_k 10 --temperature 0.5 --num_return_sequences 10 --max_dec_len 512)
for argument in "$@"; do
    case "$argument" in
        --decode_strategy*) flags=(--max_dec_len 512) ;;
        --interactive* | --serve* | --export*) flags=(); break ;;
    esac
done
device=$(detect_device)
# Back to the user's folder, so that --prompt_file and --output_file are relative to it.
cd "$caller"
exec "$python" -u "$root/run_generation.py" \
    --model_type "gpt2-en" \
    --model_name_or_path "$checkpoint" \
    --device "$device" \
    ${flags[@]+"${flags[@]}"} "$@"
