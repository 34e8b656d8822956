#!/usr/bin/env bash
# Pinning nvidia-cuda-nvcc to a release of CUDA pins no compiler: its front half comes newer, and its ptxas refuses that.
#
# Seen: 2026-11-28, nvidia-cuda-nvcc 13.0.88 with nvidia-nvvm and nvidia-cuda-crt 13.5.37 and 13.0.88, Python 3.11, g++.
# The wheel asks for nvidia-nvvm, nvidia-cuda-crt and nvidia-cuda-runtime without a version, so that `nvcc --version`
# says 13.0 while cicc is of the newest 13.x and writes its PTX, which ptxas of 13.0 does not read. -ptx alone fails as
# well: nvcc has ptxas look at it. A recipe that worked breaks on the day of the next release of nvidia-nvvm. Name all
# four with one X.Y.*.
#   output: nvvm 13.5: Unsupported .version 9.5; current version is '9.0', -ptx 255; nvvm 13.0: compiles, -ptx 0
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
echo '__global__ void scale(float *x, float f) { x[threadIdx.x] *= f; }' >"$tmp/kernel.cu"

compile() { # NAME REQUIREMENT…: the words of ptxas, or "compiles", then how -ptx alone ends
    python3 -m venv "$tmp/$1"
    "$tmp/$1/bin/pip" install -q --disable-pip-version-check "${@:2}"
    nvcc=$(echo "$tmp/$1"/lib/python3*/site-packages/nvidia/cu13/bin/nvcc)
    "$nvcc" --version | grep -q "release 13.0,"
    if "$nvcc" -arch=sm_90 -cubin "$tmp/kernel.cu" -o "$tmp/$1.cubin" 2>"$tmp/$1.log"; then
        printf 'compiles'
    else
        grep -o "Unsupported .version.*" "$tmp/$1.log" | tr -d '\n'
    fi
    code=0 && "$nvcc" -arch=compute_90 -ptx "$tmp/kernel.cu" -o "$tmp/$1.ptx" 2>>"$tmp/$1.log" || code=$?
    echo ", -ptx $code"
}
one=$(compile one nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.5.37 nvidia-cuda-crt==13.5.37 nvidia-cuda-runtime==13.5.37)
four=$(compile four nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96)
echo "nvvm 13.5: $one; nvvm 13.0: $four"
[ "$one" = "Unsupported .version 9.5; current version is '9.0', -ptx 255" ] && [ "$four" = "compiles, -ptx 0" ] ||
    { echo "changed"; exit 1; }
echo "as seen: nvcc 13.0.88 does not take the PTX of its own front half"
