#!/usr/bin/env bash
# Reproducible images and numba's cache: an updated function goes on computing what the old one did.
#
# Seen: 2026-11-28, numba 0.67.0 and 0.68.1, numpy 2.4.6, Python 3.11.
# Up to 0.67.0 numba knows a source file by its date and size alone. An image that is made bit for bit carries one fixed
# date on every file, so a new release of a package whose file has as many bytes as before is taken for the old one:
# with the cache in a volume (NUMBA_CACHE_DIR) machine code of the old source runs, while Python shows the new source.
# From 0.68.0 on the file's sha256 decides.
#   output: 0.67.0: source says 30, compiled says 20 (hits 1); 0.68.1: source says 30, compiled says 30 (hits 0)
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

image() { # FACTOR: the module as one release of the image has it, every date fixed
    printf 'from numba import njit\n\n@njit(cache=True)\ndef scale(x):\n    return x * %s\n' "$1" >"$tmp/scaling.py"
    touch -d @1700000000 "$tmp/scaling.py"
}
run() {
    (cd "$tmp" && NUMBA_CACHE_DIR="$tmp/volume" venv/bin/python -B -c 'import scaling as s
compiled = s.scale(10)
print(f"source says {s.scale.py_func(10)}, compiled says {compiled} (hits {sum(s.scale.stats.cache_hits.values())})")')
}
update() { # VERSION of numba
    rm -rf "$tmp/volume"
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "numba==$1" numpy==2.4.6
    image 2 && run >/dev/null
    image 3 && run
}
old=$(update 0.67.0)
new=$(update 0.68.1)
echo "0.67.0: $old; 0.68.1: $new"
[ "$old" = "source says 30, compiled says 20 (hits 1)" ] && [ "$new" = "source says 30, compiled says 30 (hits 0)" ] ||
    { echo "changed"; exit 1; }
echo "as seen: up to 0.67 a volume with numba's cache outlives the source that it was made from"
