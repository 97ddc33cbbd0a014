#!/usr/bin/env bash
# LoRA on E2E, from pairs to a table of metrics, by the stages of microsoft/LoRA's example: two models write
# texts before and after their fine-tuning, by beam search, and the texts are measured.
# usage: OWN=DIR HF=DIR TRAIN=FILE VALID=FILE TEST=FILE scripts/e2e_lora.sh [STAGE ...]
#
# STAGE: some of the stages below; without one all of them, or those of one model if only that is given.
#   before fine-tuning   beam_hf_origin  beam_before_ft   decode_hf_origin  decode_before_ft
#   fine-tuning          ft_hf           ft
#   after it             beam_hf_ft      beam_after_ft    decode_hf_ft      decode_after_ft
#   all texts            evaluation
# HF, OWN: checkpoints with their tokenizers, a pretrained one of Hugging Face or Paddle and one of your own.
# TRAIN, VALID, TEST: E2E's pairs, lines mr||text or .csv. Paths are relative to the current folder.
#
# A stage that is done is skipped; one that was interrupted goes on where it can. Nothing is replaced, but for
# the table where it lacks texts: other values of what is below need another OUT.
# Environment variables, with their defaults, microsoft/LoRA's recipe:
#   OUT=output/e2e_lora   where everything goes, from the project's root; the table is evaluation.md
#   DEVICE=               cpu or gpu; without it what the machine has
#   LORA_DIM=4            0 trains the whole model
#   LORA_ALPHA=32  LORA_DROPOUT=0.1  LORA_ENABLE=q,v
#   LR=2e-4  SCHEDULER=linear  WARMUP=500  EPOCHS=5  BATCH=8  GRAD_ACC=1  SEQ_LEN=512  LABEL_SMOOTH=0.1
#   OPTIMIZER=adamw_legacy  WEIGHT_DECAY=0.01  CORRECT_BIAS=true  ADAM_BETA2=0.999  CLIP=0.0  SEED=110
#   BEAM=10  LENGTH_PENALTY=0.8  NO_REPEAT_NGRAM=4  EVAL_LEN=64 new tokens; texts end with the end token
#                         and with two line feeds where these are one token, as GPT-2's 628
#   FT_FLAGS=  BEAM_FLAGS=  more flags of run_finetune.py --task e2e and of run_generation.py, which override
set -euo pipefail
STAGES="beam_hf_origin beam_before_ft decode_hf_origin decode_before_ft ft_hf ft
    beam_hf_ft beam_after_ft decode_hf_ft decode_after_ft evaluation"
die() { echo "e2e_lora: $*" >&2; exit 2; }
for word in "$@"; do
    case "$word" in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit ;; esac
    [[ " ${STAGES//[$'\n ']/ } " == *" $word "* ]] || die "no stage $word; there are" $STAGES
done
for name in HF OWN TRAIN VALID TEST; do
    path=${!name:-}
    [ -z "$path" ] || [ -e "$path" ] || die "$name=$path is not there"
    printf -v "$name" '%s' "${path:+$(realpath "$path")}"
done
[ $# -gt 0 ] || [ -n "$HF$OWN" ] || die "name a checkpoint with OWN=DIR, HF=DIR or both; --help tells more"

# Of a stage: the variable that names its model, and the stage that fine-tunes it.
model_of() { case "$1" in *hf*) echo HF ;; *) echo OWN ;; esac; }
training_of() { case "$1" in *hf*) echo ft_hf ;; *) echo ft ;; esac; }
chosen=()
for stage in $STAGES; do
    model=$(model_of "$stage")
    if [ $# -eq 0 ] && [ "$stage" != evaluation ] && [ -z "${!model}" ]; then
        printf -v "result_$stage" 'left out without %s' "$model"
    elif [ $# -gt 0 ] && [[ " $* " != *" $stage "* ]]; then
        printf -v "result_$stage" 'not chosen'
    else
        case "$stage" in
            ft*) needed="$model TRAIN VALID" ;;
            evaluation) needed=TEST ;;
            *) needed="$model TEST" ;;
        esac
        for name in $needed; do [ -n "${!name}" ] || die "$stage needs $name, as $name=PATH"; done
        chosen+=("$stage")
    fi
done

source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
prepare
"$python" -c 'import sacrebleu, pycocoevalcap' 2> /dev/null || prepare --extras metrics
out=$(mkdir -p "${OUT:-output/e2e_lora}" && realpath "${OUT:-output/e2e_lora}")
device=${DEVICE:-$(detect_device)}
training=(--train_batch_size "${BATCH:-8}" --grad_acc "${GRAD_ACC:-1}" --max_epoch "${EPOCHS:-5}"
    --seq_len "${SEQ_LEN:-512}" --label_smooth "${LABEL_SMOOTH:-0.1}" --lr "${LR:-2e-4}"
    --scheduler "${SCHEDULER:-linear}" --warmup_step "${WARMUP:-500}" --clip "${CLIP:-0.0}"
    --optimizer "${OPTIMIZER:-adamw_legacy}" --weight_decay "${WEIGHT_DECAY:-0.01}"
    --correct_bias "${CORRECT_BIAS:-true}" --adam_beta2 "${ADAM_BETA2:-0.999}"
    --random_seed "${SEED:-110}" --save_interval 1000)
if [ "${LORA_DIM:-4}" != 0 ]; then
    training+=(--lora_dim "${LORA_DIM:-4}" --lora_alpha "${LORA_ALPHA:-32}"
        --lora_dropout "${LORA_DROPOUT:-0.1}" --lora_enable "${LORA_ENABLE:-q,v}")
fi
search=(--decode_strategy beam_search --beam_score lora --num_beams "${BEAM:-10}"
    --length_penalty "${LENGTH_PENALTY:-0.8}" --no_repeat_ngram_size "${NO_REPEAT_NGRAM:-4}"
    --min_dec_len 0 --max_dec_len "${EVAL_LEN:-64}")
read -ra more <<< "${FT_FLAGS:-}"; training+=(${more[@]+"${more[@]}"})
read -ra more <<< "${BEAM_FLAGS:-}"; search+=(${more[@]+"${more[@]}"})

# What the stages do; base is the model of the stage as it was given, data the folder of its pairs' ids.
records() {
    "$python" -m data_tools.create_e2e_data --input_path "$2" --output_file "$data/$1.jsonl" --tokenizer "$base"
}
beam() {
    records test "$TEST"
    local ends
    ends=$("$python" - "$base" <<'PY'
import sys
from data_tools.tokenizing.tokenizer import Tokenizer
tokenizer = Tokenizer.load(sys.argv[1])
blank_line = tokenizer.encode("\n\n")  # ends a text too where it is one token
print(tokenizer.eos_token_id, *(blank_line if len(blank_line) == 1 else ()))
PY
    )
    "$python" -u run_generation.py --model_name_or_path "$(tuned "$stage")" --records "$data/test.jsonl" \
        --output_file "$out/$stage.jsonl" --device "$device" --eos_token_id $ends "${search[@]}"
}
decode() {
    "$python" -m data_tools.decode_e2e --sample_file "$out/${stage/decode/beam}.jsonl" --input_file "$TEST" \
        --tokenizer "$base" --output_ref_file "$out/${stage}_ref.txt" \
        --output_pred_file "$out/${stage}_pred.txt" --overwrite
}
finetune() {
    if [ "$(cat "$out/$stage.trained" 2> /dev/null)" != "$values" ]; then
        records train "$TRAIN"
        records valid "$VALID"
        "$python" -u run_finetune.py --task e2e --init_checkpoint "$base" --work_dir "$out/$stage" --resume \
            --train_data "$data/train.jsonl" --valid_data "$data/valid.jsonl" --device "$device" "${training[@]}"
        echo "$values" > "$out/$stage.trained"
    fi
    local trained
    trained=$(newest_checkpoint "$out/$stage")
    if [ -f "$trained/adapter_config.json" ] && [ ! -d "$out/${stage}_merged" ]; then
        "$python" -m paddle_impl.merge_adapter "$base" "$trained" "$out/${stage}_merged"
    fi
}
evaluate() {
    # In the folder of the texts, so that a row of the table has a short name.
    (cd "$out" && "$python" "$root/run_evaluation.py" --e2e "$TEST" $texts --e2e_rows --output_file evaluation.json) |
        tee "$out/evaluation.txt"
    sed -n 's/^| decode_\(.*\)_pred.txt |/| \1 |/; /^|/p' "$out/evaluation.txt" > "$out/evaluation.md"
}
# The model that writes the texts of a stage.
tuned() {
    case "$1" in *origin | *before_ft) echo "$base"; return ;; esac
    local folder
    folder=$out/$(training_of "$1")
    if [ -d "${folder}_merged" ]; then echo "${folder}_merged"; else newest_checkpoint "$folder"; fi
}
needs() { [ -f "$out/$1.done" ] || die "$stage needs what $1 makes: run that first"; }

running=""
table() {
    local code=$? stage name
    [ -z "$running" ] || printf -v "result_$running" '%-24s %7d' failed $((SECONDS - started))
    printf '\n%-18s %-24s %7s\n' stage result seconds
    for stage in $STAGES; do name=result_$stage; printf '%-18s %s\n' "$stage" "${!name:-not reached}"; done
    exit "$code"
}
trap table EXIT
for stage in "${chosen[@]}"; do
    running=$stage started=$SECONDS
    model=$(model_of "$stage")
    base=${!model} data=$out/data_$model
    # What the stage was made with: it is done with these values, or not at all.
    case "$stage" in
        beam*) values="$base $TEST ${search[*]}" act=beam
            case "$stage" in beam_hf_ft | beam_after_ft) needs "$(training_of "$stage")" ;; esac ;;
        decode*) values="$base $TEST" act=decode; needs "${stage/decode/beam}" ;;
        ft*) values="$base $TRAIN $VALID ${training[*]}" act=finetune ;;
        evaluation) act=evaluate texts=""
            for name in hf_origin hf_ft before_ft after_ft; do
                [ ! -f "$out/decode_$name.done" ] || texts+=" decode_${name}_pred.txt"
            done
            [ -n "$texts" ] || die "evaluation needs what a decode stage makes: run one first"
            values="$TEST$texts"
            if [ "$(cat "$out/$stage.done" 2> /dev/null)" != "$values" ]; then rm -f "$out/$stage.done"; fi ;;
    esac
    if [ -f "$out/$stage.done" ]; then
        [ "$(cat "$out/$stage.done")" = "$values" ] || die "$stage was done with other values, which were:" \
            "$(cat "$out/$stage.done"); now they are: $values. Name another OUT"
        printf -v "result_$stage" '%-24s %7s' 'skipped, done before' -
        continue
    fi
    echo "== $stage"
    "$act"
    echo "$values" > "$out/$stage.done"
    printf -v "result_$stage" '%-24s %7d' done $((SECONDS - started))
done
running=""
