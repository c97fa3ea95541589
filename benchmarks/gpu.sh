#!/usr/bin/env bash
# What a GPU is wanted for, most important first, in 15 minutes in all, on a machine without a package index.
#
# Before: `bash benchmarks/wheels.sh build/wheels` where there is one (3 minutes, 5 MB); carry build/wheels along.
# There: python3 -m pip install -q --no-index --no-deps --target /tmp/site build/wheels/*.whl
#        export PYTHONPATH=/tmp/site:$PWD BENCHMARK_COMMIT=...
#
# Call 1, at most 8 minutes: DEADLINE=465 bash benchmarks/gpu.sh OUT check large
#   wheels 10 s; toolchain 2 s
#   check  120 s: nano compiles (80 s), then clicks, refinements, replayed clicks and automatic masks against the CPU's,
#                 in float32 and float16, and what exists on a GPU only. Meanwhile large compiles (150 s).
#   large  240 s: building five implementations 40 s, CLICK 20 s, SPS 30 s, MPS 30 s, AMG 40 s, six fresh processes 60 s,
#                 profile of a click 20 s
# Call 2, the rest: the training command of training/README.md for at least 4 minutes, if a checkpoint waits for it;
#   else: bash benchmarks/gpu.sh OUT nano tiny float8 (60 + 150 + 150 s)
#
# OUT gets log.txt with all that was said, and a JSON file for each model, written anew after each task. A step that
# fails or runs out of time does not end the others. The exit code is 1 if one did.
# usage: [DEADLINE=570] bash benchmarks/gpu.sh OUT STEP ...
# To try it without a GPU: DEVICE=cpu PATIENCE=10 DEADLINE=5000 BENCH_OPTIONS="--repeats 4 --automask-images 1"
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: bash benchmarks/gpu.sh OUT STEP ...}
shift
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
deadline=${DEADLINE:-570}
patience=${PATIENCE:-1} # what the steps' time limits are multiplied by
read -ra bench_options <<<"${BENCH_OPTIONS:---repeats 100}"
export ANNOTATOR_MODELS_DIR=${ANNOTATOR_MODELS_DIR:-$PWD/build} PYTHONUNBUFFERED=1
mkdir -p "$out"
out=$(cd "$out" && pwd)
failed=0

yes_no() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
links_cuda() { echo 'int main(){}' | g++ -x c++ - -lcuda -o /dev/null; }

# AOTInductor needs CUDA's headers and a libcuda.so to link with. torch takes the folder above nvcc's for CUDA's, which is
# wrong where nvcc is a script elsewhere; drivers bring libcuda.so.1 only.
toolchain() {
  local home nvcc driver
  nvcc=$(command -v nvcc || true)
  for home in "${CUDA_HOME:-}" /usr/local/cuda "$(dirname "$(dirname "$(readlink -f "$nvcc")")")" \
    "$("$python" -c 'import nvidia; print(f"{list(nvidia.__path__)[0]}/cu13")' 2>/dev/null)"; do
    [ -f "$home/include/cuda.h" ] && export CUDA_HOME=$home && break
  done
  for driver in "${CUDA_HOME:-}"/lib64/stubs/libcuda.so $(ldconfig -p | awk '/libcuda\.so\.1/ {print $NF}') \
    /usr/local/nvidia/lib64/libcuda.so.1; do
    links_cuda 2>/dev/null && break
    [ -e "$driver" ] || continue
    mkdir -p /tmp/libcuda && ln -sf "$driver" /tmp/libcuda/libcuda.so && export LIBRARY_PATH=/tmp/libcuda
  done
  echo "toolchain: nvcc ${nvcc:-none}, CUDA_HOME ${CUDA_HOME:-none}," \
    "cuda.h $(yes_no test -f "${CUDA_HOME:-}/include/cuda.h"), -lcuda $(yes_no links_cuda)," \
    "g++ $(g++ -dumpfullversion 2>/dev/null || echo none)," \
    "Python.h $(yes_no "$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")')," \
    "torch $("$python" -c 'import torch; print(torch.__version__)' 2>/dev/null || echo none)"
}

# LIMIT PATTERN COMMAND ...: at most LIMIT seconds, and not past the deadline. Everything goes into the log, and what
# matches the PATTERN, or else the last lines, to the screen.
run() {
  local limit=$(($1 * patience)) pattern=$2 left=$((deadline - SECONDS)) started=$SECONDS code before
  shift 2
  before=$(wc -l <"$out/log.txt")
  echo "### $*" >>"$out/log.txt"
  timeout -k 5 "$((left < limit ? (left < 1 ? 1 : left) : limit))" "$@" >>"$out/log.txt" 2>&1
  code=$?
  tail -n "+$((before + 2))" "$out/log.txt" | grep -aE "$pattern" || tail -n 3 "$out/log.txt"
  echo "   exit $code after $((SECONDS - started)) s, at $SECONDS s: $*"
  [ "$code" = 0 ] || failed=1
}
compile() { # OPTION ...: in the background
  timeout -k 5 "$((300 * patience))" "$python" -m benchmarks.target --device "$device" "$@" >"$out/compile.txt" 2>&1 &
  compiling=$!
}
# OPTION ...: compile if that was not begun, then measure and profile, eager where it did not compile.
measure() {
  [ -n "${compiling:-}" ] || compile "$@"
  local eager=()
  wait "$compiling" || eager=(--without-packages "$(tail -n 1 "$out/compile.txt")")
  compiling=
  echo "   compiled at $SECONDS s: $(tail -n 1 "$out/compile.txt")"
  cat "$out/compile.txt" >>"$out/log.txt" && rm "$out/compile.txt"
  run 300 '\.json$| cannot run| failed|inputs$' "$python" -m benchmarks --device "$device" --output "$out" \
    "${bench_options[@]}" "$@" "${eager[@]}"
  run 60 '^click|^encode|a click$' "$python" -m benchmarks.profile_click --device "$device" "$@" "${eager[@]}"
}

toolchain >"$out/log.txt" # no pipe: it exports what it finds
cat "$out/log.txt"
case " $* " in *" check "*" large "*) compile --model large --untrained ;; esac
for step in "$@"; do
  echo "== $step"
  case $step in
    check) run 240 'passed|failed|^E  ' "$python" -m pytest -p no:cacheprovider tests/test_devices.py -k "$device" ;;
    nano) measure --model nano ;;
    large) measure --model large --untrained ;;
    tiny) measure --model tiny --untrained ;;
    float8) measure --model large --untrained --dtype float8 ;;
    *) echo "no such step: $step" && exit 2 ;;
  esac
done
exit "$failed"
