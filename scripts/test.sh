#!/usr/bin/env bash
# Set-up, then everything that must hold: lint, import rules, unit tests, parity, whole journeys.
# Ordered so that it fails early. Needs no network beyond the packages, and no data.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh --extras parity,dev
python=.venv/bin/python

step() { printf '\n== %s\n' "$*"; "$@"; }

step "$python" -m ruff check .
for script in scripts/*.sh .ci/run; do bash -n "$script"; done
step "$python" -m pytest tests/test_doors.py tests/test_args.py
step "$python" -m pytest tests/data_tools tests/paddle_impl
report="${PARITY_OUTPUT:-parity_report}"
step "$python" -m parity --output "$report"
step "$python" -m parity readme --check --report "$report/report.json"
step "$python" -m pytest tests/parity
step "$python" -m pytest tests/e2e
printf '\nall tests passed in %d s\n' "$SECONDS"
