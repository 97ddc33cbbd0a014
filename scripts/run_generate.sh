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
    checkpoint=$(ls -d "$root"/output/model_* 2>/dev/null | sort -t_ -k2 -n | tail -1)
    [ -n "$checkpoint" ] || { echo "run_generate: no checkpoint in output/; train one with bash scripts/run.sh" >&2; exit 2; }
fi

# The source document's flags, unless another way to choose tokens, or another mode, is asked for.
flags=(--decode_strategy sampling --top_k 10 --temperature 0.5 --num_return_sequences 10 --max_dec_len 512)
for argument in "$@"; do
    case "$argument" in
        --decode_strategy*) flags=(--max_dec_len 512) ;;
        --interactive* | --serve* | --export*) flags=(); break ;;
    esac
done
device=$(detect_device)
# Where the user stands, so that --prompt_file and --output_file mean what they say.
cd "$caller"
exec "$python" -u "$root/run_generation.py" \
    --model_type "gpt2-en" \
    --model_name_or_path "$checkpoint" \
    --device "$device" \
    ${flags[@]+"${flags[@]}"} "$@"
