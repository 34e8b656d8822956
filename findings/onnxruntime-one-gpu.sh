#!/usr/bin/env bash
# The CUDA code of onnxruntime-gpu is made for single GPUs: what is called code for 12.0 is sm_120a, which a GB10 (12.1)
# does not run, and sm_100a in 1.28.0, which a B300 (10.3) does not.
#
# Seen: 2026-11-28, onnxruntime-gpu 1.28.0 and 1.31.1 (cp313), nvidia-cuda-cuobjdump 13.5.37, Python 3.11.
# The rule that code for X.y runs on every later X.z does not hold for names that end with a: they run on X.y alone.
# 1.28.0 has PTX beside it, which a driver compiles for 12.1 and later; from 1.29.0 on there is none, so that 1.31.1
# has nothing for 10.0, 10.3, 11.0 and 12.1. Of Hopper too it is sm_90a, where it does not matter: there is no 9.1.
# Lists that name numbers alone, such as those of release notes, do not show it; `cuobjdump -lelf` does.
#   output: 1.28.0: sm_100a sm_120a sm_75 sm_80 sm_86 sm_89 sm_90a, PTX sm_120; 1.31.1: sm_120a sm_75 sm_80 sm_86 sm_89 sm_90a, PTX none
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check nvidia-cuda-cuobjdump==13.5.37
cuobjdump=$(echo "$tmp"/venv/lib/python3*/site-packages/nvidia/cu13/bin/cuobjdump)

named() { "$cuobjdump" "$1" "$2" 2>/dev/null | grep -o 'sm_[0-9]*[a-z]*' | sort -u | tr '\n' ' '; }
code() { # VERSION: the names of its machine code, and of its PTX
    "$tmp/venv/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.13 \
        --platform manylinux_2_28_x86_64 -d "$tmp" "onnxruntime-gpu==$1"
    python3 -m zipfile -e "$tmp/onnxruntime_gpu-$1"-*.whl "$tmp/$1"
    library=$tmp/$1/onnxruntime/capi/libonnxruntime_providers_cuda.so
    ptx=$(named -lptx "$library" || true)
    echo "$(named -lelf "$library" | sed 's/ $//'), PTX ${ptx:-none}" | sed 's/ $//'
}
older=$(code 1.28.0)
newer=$(code 1.31.1)
echo "1.28.0: $older; 1.31.1: $newer"
[ "$older" = "sm_100a sm_120a sm_75 sm_80 sm_86 sm_89 sm_90a, PTX sm_120" ] &&
    [ "$newer" = "sm_120a sm_75 sm_80 sm_86 sm_89 sm_90a, PTX none" ] || { echo "changed"; exit 1; }
echo "as seen: from 1.29 on its code runs on the GPUs that it names, and on no later one"
