#!/usr/bin/env bash
# The ffmpeg of imageio-ffmpeg 0.8 names NVENC and VAAPI encoders on every machine, and is no static program any more.
#
# Seen: 2026-11-28, imageio-ffmpeg 0.6.0 (ffmpeg 7.0.2) and 0.8.1 (ffmpeg 9.0.2), Python 3.11, no GPU.
# Code that takes h264_nvenc "if ffmpeg lists it" used libx264 with 0.6 wherever it ran. With 0.8.1 it takes NVENC and
# fails where there is no driver, or a container has the GPU for compute alone: the list is of what was compiled in.
# 0.6's program needs no library at all; 0.8.1's needs glibc 2.28, libm and libmvec, and is twice the size.
#   output: 0.6.0: no nvenc, static; 0.8.1: nvenc listed, dynamic; encode: Cannot load libcuda.so.1
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

ffmpeg() { "$("$tmp/venv/bin/python" -c 'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')" -hide_banner "$@"; }
program() { # VERSION of imageio-ffmpeg
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "imageio-ffmpeg==$1"
    ffmpeg -encoders 2>/dev/null >"$tmp/encoders"
    grep -q " h264_nvenc " "$tmp/encoders" && printf 'nvenc listed, ' || printf 'no nvenc, '
    "$tmp/venv/bin/python" - <<'PY'
import imageio_ffmpeg
with open(imageio_ffmpeg.get_ffmpeg_exe(), "rb") as program:
    print("dynamic" if b"ld-linux-x86-64.so.2\0" in program.read(4096) else "static")
PY
}
six=$(program 0.6.0)
eight=$(program 0.8.1)
ffmpeg -f lavfi -i testsrc=duration=0.2:size=256x256 -c:v h264_nvenc -f null - >"$tmp/log" 2>&1 || true
encode=$(grep -o "Cannot load libcuda.so.1" "$tmp/log" | head -n 1)
echo "0.6.0: $six; 0.8.1: $eight; encode: $encode"
[ "$six" = "no nvenc, static" ] && [ "$eight" = "nvenc listed, dynamic" ] && [ -n "$encode" ] || { echo "changed"; exit 1; }
echo "as seen: imageio-ffmpeg 0.8.1 lists encoders that the machine has not"
