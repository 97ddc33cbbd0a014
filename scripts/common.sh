# Sourced by the scripts beside it: repository root, environment, device.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
caller="$PWD"
cd "$root"
python="$root/.venv/bin/python"

# Makes .venv unless it is up to date. Arguments are those of setup.sh.
prepare() { bash "$root/scripts/setup.sh" "$@"; }

# value_of --flag default "$@": the flag's last value among the arguments, as in argparse, or the default.
value_of() {
    local flag=$1 value=$2
    shift 2
    while [ $# -gt 0 ]; do
        case "$1" in
            "$flag") value=${2:-} ;;
            "$flag"=*) value=${1#*=} ;;
        esac
        shift
    done
    printf '%s' "$value"
}

# newest_checkpoint DIR: the model_<step> of the highest step in it; nothing where there is none.
newest_checkpoint() { { find "$1" -maxdepth 1 -regex '.*/model_[0-9]+' 2>/dev/null || true; } | sort -V | tail -1; }

# Prints gpu if Paddle can use one here, else cpu.
detect_device() {
    "$python" - <<'PY'
from paddle_impl.process import runtime
paddle = runtime.import_paddle("cpu")
usable = paddle.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
print("gpu" if usable else "cpu")
PY
}
