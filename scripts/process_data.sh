#!/usr/bin/env bash
# Source code -> data_tools/code_python_{ids.npy,idx.npz,meta.json,tokenizer/}.
#
#   bash scripts/process_data.sh                        the code already on this machine, no download
#   bash scripts/process_data.sh DIR [DIR|FILE ...]     folders, .tar.gz, .zip, .jsonl.zst, .parquet ...
#   bash scripts/process_data.sh DIR --vocab_size 8192  flags after the paths: see --help
#
# After an interruption, the same command continues.
# Paths before the first flag are relative to the current folder, paths in flags to the project's root.
set -euo pipefail

inputs=()
while [[ $# -gt 0 && "$1" != -* ]]; do
    case "$1" in
        /*) inputs+=("$1") ;;
        *) inputs+=("$PWD/$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh

command=(.venv/bin/python -m data_tools.create_pretraining_data --output_prefix data_tools/code_python)
if [[ ${#inputs[@]} -gt 0 ]]; then
    command+=(--input_path "${inputs[@]}")
fi
"${command[@]}" "$@"
