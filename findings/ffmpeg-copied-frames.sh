#!/usr/bin/env bash
# ffmpeg 7 tells no number of frames of what it copies: `ffmpeg -i FILE -c copy -f null -`, the quick way to count a
# video's frames, ends with 0 and no `frame=` in its last line.
#
# Seen: 2026-11-28, imageio-ffmpeg 0.5.1 (brings ffmpeg 4.2.2) and 0.6.0 (7.0.2), Python 3.11.
# A program that reads the number from that line takes a whole video for an empty one as soon as the wheel is a newer
# one; LivePortrait's own list of packages names no version of it. A line a packet, which `-f framecrc -` writes to
# stdout, is the same in both.
#   output: 0.5.1: frame= 40, framecrc 40; 0.6.0: frame= none, framecrc 40
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

counts() { # VERSION of imageio-ffmpeg: what two ways say of a video of 40 frames
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check --force-reinstall --no-deps "imageio-ffmpeg==$1" 'setuptools<80'
    ffmpeg=$("$tmp/venv/bin/python" -W ignore -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
    [ -f "$tmp/video.mp4" ] || "$ffmpeg" -v error -f lavfi -i testsrc=d=2:r=20:s=256x256 -pix_fmt yuv420p "$tmp/video.mp4"
    copy=(-i "$tmp/video.mp4" -map 0:v:0 -c copy)
    null=$("$ffmpeg" "${copy[@]}" -f null - 2>&1 </dev/null | grep -o 'frame= *[0-9]*' | tail -1 | tr -dc 0-9 || true)
    lines=$("$ffmpeg" -v error "${copy[@]}" -f framecrc - </dev/null | grep -vc '^#')
    echo "frame= ${null:-none}, framecrc $lines"
}
old=$(counts 0.5.1)
new=$(counts 0.6.0)
echo "0.5.1: $old; 0.6.0: $new"
[ "$old" = "frame= 40, framecrc 40" ] && [ "$new" = "frame= none, framecrc 40" ] || { echo "changed"; exit 1; }
echo "as seen: ffmpeg 7 does not count what it copies"
