#!/usr/bin/env bash
# Collect the wheels of wheels.txt for a GPU machine without a package index: Linux x86-64, Python 3.12.
# usage: bash benchmarks/wheels.sh FOLDER; needs a Python environment with torch, setuptools and wheel as $PYTHON.
set -euo pipefail
folder=${1:?usage: bash benchmarks/wheels.sh FOLDER}
python=${PYTHON:-python3}
list=$(dirname "$0")/wheels.txt
source_only='^(sam2|antlr4-python3-runtime|iopath)=='
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${tag}_x86_64")
done
mkdir -p "$folder"
# Pure Python; sam2's CUDA extension is for videos.
grep -E "$source_only" "$list" | SAM2_BUILD_CUDA=0 xargs "$python" -m pip wheel -q --no-build-isolation --no-deps -w "$folder"
grep -vE "^#|$source_only" "$list" | xargs "$python" -m pip download -q --no-deps --only-binary=:all: \
  --python-version 3.12 --implementation cp "${platforms[@]}" -d "$folder"
du -ch "$folder"/*.whl
