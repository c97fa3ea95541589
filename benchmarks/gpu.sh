#!/usr/bin/env bash
# What a GPU is wanted for, most important first: correctness, then speed, then where the time goes.
# Needs torch for that GPU, a C++ compiler, sam2, hydra-core, torchao, pycocotools, pytest, safetensors, psutil, scipy,
# opencv, pillow, tqdm, and torchvision for the reference system; not the web parts. Logs, and the JSON of
# `annotator bench`, go to OUT after each step, so that a stop loses one step. Exits with 1 if a step failed.
# usage: bash benchmarks/gpu.sh OUT [check] [nano] [large] [tiny] [float8]
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: bash benchmarks/gpu.sh OUT [STEP ...]}
shift
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
repeats=${REPEATS:-100}
photos=${AUTOMASK_IMAGES:-4}
failed=0
mkdir -p "$out"

bench() { # NAME OPTION ...
  local name=$1
  shift
  touch "$out/.start"
  "$python" -m annotator bench --device "$device" --repeats "$repeats" --automask-images "$photos" "$@" 2>&1 |
    tee "$out/bench-$name.log" | tail -n 3 || failed=1
  find benchmarks/results -name '*.json' -newer "$out/.start" -exec cp {} "$out" \;
}
profile() { # NAME OPTION ...
  local name=$1
  shift
  "$python" -m benchmarks.profile_click --device "$device" "$@" >"$out/profile-$name.log" 2>&1 || failed=1
  grep -E "^click|a click$" "$out/profile-$name.log"
}

for step in "${@:-check nano large tiny float8}"; do
  for each in $step; do
    echo "== $each"
    case $each in
      check)
        "$python" -m pytest -p no:cacheprovider tests/test_devices.py -k "$device" 2>&1 |
          tee "$out/check.log" | tail -n 15 || failed=1
        ;;
      nano) bench nano --model nano; profile nano --model nano ;;
      large) bench large --model large --untrained; profile large --model large --untrained ;;
      tiny) bench tiny --model tiny --untrained; profile tiny --model tiny --untrained ;;
      float8) bench large-float8 --model large --untrained --dtype float8 ;;
      *) echo "no such step: $each" && exit 2 ;;
    esac
  done
done
exit "$failed"
