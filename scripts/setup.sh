#!/usr/bin/env bash
# Makes .venv with everything pinned in pyproject.toml and builds the C++ extensions.
# usage: scripts/setup.sh [--cpu|--gpu|--paddle VERSION] [--extras parity,dev]
# --paddle makes .venv-paddle-VERSION instead, with the CPU build of that version.
# Returns at once if nothing changed: a stamp file records what was installed and from which files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "setup: $*" >&2; exit 1; }

versions="3.3.1 2.6.2" # the newest CPU build, the newest GPU build
device=""
paddle=""
extras=""
while [ $# -gt 0 ]; do
    case "$1" in
        --cpu) device=cpu ;;
        --gpu) device=gpu ;;
        --paddle) paddle="${2:?--paddle needs a version (known: $versions)}"; shift ;;
        --extras) extras="${2:?--extras needs a comma separated list}"; shift ;;
        *) die "unknown option $1 (known: --cpu --gpu --paddle VERSION --extras LIST)" ;;
    esac
    shift
done

environment=.venv
if [ -n "$paddle" ]; then
    case " $versions " in
        *" $paddle "*) ;;
        *) die "--paddle $paddle is not a version this project runs on (known: ${versions/ / and })" ;;
    esac
    [ "$device" != gpu ] || die "--paddle $paddle takes a CPU build; leave it out for --gpu"
    environment=.venv-paddle-$paddle
    device=cpu
fi

stamp=$environment/.setup-stamp
if [ -z "$device" ]; then
    # An existing environment keeps its device; a new one is for a GPU if there is a driver.
    device=$(sed -n 's/^device=//p' "$stamp" 2>/dev/null || true)
    if [ -z "$device" ]; then
        if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then device=gpu; else device=cpu; fi
    fi
fi

inputs=$(cat pyproject.toml setup.py data_tools/index_helper/*.cpp paddle_impl/kernels/*.cpp \
    paddle_impl/kernels/*/*.h | cksum | tr ' ' -)
have=$(sed -n 's/^extras=//p' "$stamp" 2>/dev/null || true)
want=$(printf '%s\n' ${have//,/ } ${extras//,/ } | sort -u | paste -sd, -)
want_stamp=$(printf 'device=%s\ninputs=%s\nroot=%s\nextras=%s' "$device" "$inputs" "$PWD" "$want")
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want_stamp" ] && [ -x "$environment/bin/python" ]; then
    exit 0
fi

features=$want
packages=()
constraints=()
newest=13
if [ -z "$paddle" ]; then
    features="$device${want:+,$want}"
else
    packages=("paddlepaddle==$paddle")
fi
if [ "$paddle" = 2.6.2 ] || [ "$device" = gpu ]; then
    # This Paddle needs numpy 1, which pyarrow supports up to version 25. It has no wheel for Python
    # 3.13, and imports setuptools, which new environments lack from Python 3.12 on.
    constraints=("numpy<2" "pyarrow<26")
    packages+=(setuptools)
    newest=12
fi

candidates=(python3.11 python3.12 python3.10 python3.13 python3)
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
python=""
for candidate in "${candidates[@]}"; do
    if "$candidate" -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || die "no Python 3.10 to 3.$newest found; install one (Debian, Ubuntu: apt-get install python3 python3-venv python3-dev) or name it with PYTHON=..."
"$python" -c 'import ensurepip, venv' 2>/dev/null \
    || die "$python has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"
command -v "${CXX:-c++}" >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 \
    || die "no C++ compiler found; install one (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++)"
"$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
    || die "$python has no headers (Python.h); install them (Debian, Ubuntu: apt-get install python3-dev)"

if [ ! -x "$environment/bin/python" ]; then
    echo "setup: making $environment with $("$python" --version)"
    "$python" -m venv "$environment"
fi
rm -f "$stamp"
echo "setup: installing for $device${paddle:+, Paddle $paddle}${want:+ with $want} (the first time this downloads a few hundred MB)"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint <(printf '%s\n' ${constraints[@]+"${constraints[@]}"}) \
    -e ".${features:+[$features]}" ${packages[@]+"${packages[@]}"}
"$environment/bin/python" -c 'import data_tools.index_helper, paddle_impl.kernels._decode' \
    || die "the C++ extensions were built but cannot be imported"
printf '%s' "$want_stamp" > "$stamp"
echo "setup: done"
