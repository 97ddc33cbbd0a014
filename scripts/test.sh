#!/usr/bin/env bash
# Sets up the environment and runs all checks: lint, import rules, unit tests, parity, end-to-end
# tests. Quick checks come first. Needs no network except to install packages, and no data.
# usage: scripts/test.sh [--all] [--paddle VERSION]
# --paddle runs what depends on Paddle with that version's CPU build, in an environment of its own.
# --all adds the long tests, which are marked exhaustive, and then runs --paddle 2.6.2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

paddle=""
all=""
while [ $# -gt 0 ]; do
    case "$1" in
        --all) all=yes ;;
        --paddle) paddle="${2:?--paddle needs a version, such as 2.6.2}"; shift ;;
        *) echo "test: unknown option $1 (known: --all --paddle VERSION)" >&2; exit 1 ;;
    esac
    shift
done
if [ -n "$all" ] && [ -n "$paddle" ]; then
    echo "test: --all includes Paddle 2.6.2; leave out --paddle" >&2
    exit 1
fi

# One thread a process: every step runs enough processes for all cores.
export OMP_NUM_THREADS=1

step() { printf '\n== %s\n' "$*"; "$@"; }
# A process a core. A process that has finished its tests takes over half of another's (worksteal).
tests() { step "$python" -m pytest -n auto --dist worksteal ${all:+-m ""} "$@"; }
report="${PARITY_OUTPUT:-parity_report}"

if [ -n "$paddle" ]; then
    bash scripts/setup.sh --paddle "$paddle" --extras parity,dev
    bash scripts/setup.sh # for tests that begin a run with one version and resume it with the other
    export OTHER_PADDLE_PYTHON="$PWD/.venv/bin/python"
    python=.venv-paddle-$paddle/bin/python
    step "$python" -c "import paddle; assert paddle.__version__ == '$paddle', paddle.__version__"
    # Without tests that do not use Paddle: samples in numpy, the sandbox.
    tests tests/paddle_impl --ignore tests/paddle_impl/data \
        --ignore tests/paddle_impl/evaluation/humaneval
    # Without rungs in which Paddle computes nothing, and those that `many` and `grid` include.
    rungs=$("$python" -m parity --list | sed 's/ .*//' | grep -vxE \
        'tokenizer|vocabulary|corpus|fim|order|filters|foreign|newest'\
'|greedy|sampled|beam|beams|sharded|split')
    step "$python" -m parity --only $rungs --output "$report/paddle-$paddle"
    # Without tests of a model of 124 million parameters, of hundreds of steps, or that run in .venv.
    tests tests/e2e/test_generation.py tests/e2e/test_pretraining.py \
        tests/e2e/test_launch.py -k 'not source_documents and not extended_run and not run_multi'
    printf '\nall tests passed on Paddle %s in %d s\n' "$paddle" "$SECONDS"
    exit 0
fi

bash scripts/setup.sh --extras parity,dev
python=.venv/bin/python
step "$python" -m ruff check .
for script in scripts/*.sh .ci/run; do bash -n "$script"; done
step "$python" -m pytest tests/test_doors.py tests/test_args.py
tests tests/data_tools tests/paddle_impl tests/scripts
step "$python" -m parity --output "$report"
step "$python" -m parity docs --check --report "$report/report.json"
tests tests/parity tests/e2e tests/docs
printf '\nall tests passed in %d s\n' "$SECONDS"
[ -z "$all" ] || exec bash scripts/test.sh --paddle 2.6.2
