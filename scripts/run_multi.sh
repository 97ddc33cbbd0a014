#!/usr/bin/env bash
# Pretrains on all GPUs of this machine (choose some with CUDA_VISIBLE_DEVICES), or on CPU processes
# (PROCESSES=2), with paddle.distributed.launch.
# usage: scripts/run_multi.sh [run_pretrain.py flags]
#
# If a process fails, the job is started again from its last checkpoint, up to RESTARTS (3) times
# without a new checkpoint between. (The launcher's --max_restart works with an etcd server only.)
# Ctrl-C, SIGTERM and SIGHUP end the job after a checkpoint, however long that takes; a second signal
# ends it at once.
#
# Several machines with a shared file system: run the same line on each, after PADDLE_NNODES=2
# PADDLE_MASTER=<address of the first>:<port> PADDLE_RANK=<0, 1 ...>, and POD_IP=<own address> if the
# machine's name does not resolve to it.
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
    # An empty value, which hides the GPUs, makes the launcher fail.
    [ -n "${CUDA_VISIBLE_DEVICES:-}" ] || unset CUDA_VISIBLE_DEVICES
    model=(--model_name_or_path code-mini --max_seq_len 256 --max_steps 500)
fi
# Each machine has its own logs, since all write to the same folder.
logs="$output/log${PADDLE_RANK:+/machine_$PADDLE_RANK}"
mkdir -p "$logs"

# The exit codes of processes that failed. The launcher's own exit code is often that of a process
# which the launcher itself ended.
failed_with() { sed -n 's/^Container rank [0-9]* status failed .* code \(-\{0,1\}[0-9]*\) log .*/\1/p' "$logs/launch.log"; }

# Signal the processes, not the launcher: after a signal of its own it kills them within 30 seconds.
stop() {
    stopped=$2
    pkill "-$1" -P "$launcher" || kill -TERM "$launcher" || true
} 2>/dev/null
stopped="" launcher="" resume="" tries=0
trap 'stop TERM 143' TERM HUP
trap 'stop INT 130' INT
set -m # the job gets its own process group, so that Ctrl-C reaches it through `stop` only

while true; do
    before=$(newest_checkpoint "$output")
    exec 9> >(tee -i "$logs/launch.log" >&2)
    tee=$!
    [ -z "$stopped" ] || exit "$stopped"
    "$python" -m paddle.distributed.launch "${launch[@]}" --log_dir "$logs" \
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
        "$@" $resume 2>&9 &
    launcher=$!
    exec 9>&-
    code=0
    wait "$launcher" || code=$?
    # A signal ends `wait` while the job still runs.
    while kill -0 "$launcher" 2>/dev/null; do wait "$launcher" || true; done
    wait "$tee" || true
    [ -z "$stopped" ] || exit "$stopped"
    failed=$(failed_with)
    # Code 2 is a mistake of the user, which a restart cannot mend; 130 and 143 are stops by a signal.
    # If no process failed, the launcher itself did; it is started again only if it was killed (137).
    case "$code:$failed" in
        0:* | *:2 | *:130 | *:143) exit "${failed:-$code}" ;;
        137: | *:?*) ;;
        *) exit "$code" ;;
    esac
    now=$(newest_checkpoint "$output")
    [ "$now" = "$before" ] || tries=0
    [ "$tries" -lt "${RESTARTS:-3}" ] || exit "$code"
    tries=$((tries + 1))
    resume=--resume
    echo "run_multi.sh: the job failed (code ${failed:-$code}); starting it again from ${now:-step 0}, try $tries of ${RESTARTS:-3}" >&2
done
