#!/usr/bin/env bash
# Makes .venv with everything pinned in pyproject.toml and builds the C++ index helper.
# usage: scripts/setup.sh [--cpu|--gpu] [--extras parity,dev]
# Quick when nothing changed: a stamp holds what was installed, from which files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "setup: $*" >&2; exit 1; }

device=""
extras=""
while [ $# -gt 0 ]; do
    case "$1" in
        --cpu) device=cpu ;;
        --gpu) device=gpu ;;
        --extras) extras="${2:?--extras needs a comma separated list}"; shift ;;
        *) die "unknown option $1 (known: --cpu --gpu --extras LIST)" ;;
    esac
    shift
done

stamp=.venv/.setup-stamp
if [ -z "$device" ]; then
    # What the environment was made for stays; a new one follows the driver.
    device=$(sed -n 's/^device=//p' "$stamp" 2>/dev/null || true)
    if [ -z "$device" ]; then
        if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then device=gpu; else device=cpu; fi
    fi
fi

inputs=$(cat pyproject.toml setup.py data_tools/index_helper/*.cpp | cksum | tr ' ' -)
have=$(sed -n 's/^extras=//p' "$stamp" 2>/dev/null || true)
want=$(printf '%s\n' ${have//,/ } ${extras//,/ } | sort -u | paste -sd, -)
want_stamp=$(printf 'device=%s\ninputs=%s\nroot=%s\nextras=%s' "$device" "$inputs" "$PWD" "$want")
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want_stamp" ] && [ -x .venv/bin/python ]; then
    exit 0
fi

python="${PYTHON:-}"
if [ -z "$python" ]; then
    for candidate in python3.11 python3.12 python3.10 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
[ -n "$python" ] || die "no Python 3.10 to 3.13 found; install one (Debian, Ubuntu: apt-get install python3 python3-venv python3-dev) or name it with PYTHON=..."
"$python" -c 'import ensurepip, venv' 2>/dev/null \
    || die "$python has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"
command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 \
    || die "no C++ compiler found; install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++)"
"$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
    || die "$python has no headers (Python.h); install them (Debian, Ubuntu: apt-get install python3-dev)"

if [ ! -x .venv/bin/python ]; then
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv .venv
fi
rm -f "$stamp"
echo "setup: installing for $device${want:+ with $want} (the first time this downloads a few hundred MB)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$device${want:+,$want}]"
.venv/bin/python -c 'import data_tools.index_helper' || die "the index helper was built but cannot be imported"
printf '%s' "$want_stamp" > "$stamp"
echo "setup: done"
