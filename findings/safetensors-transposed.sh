#!/usr/bin/env bash
# safetensors 0.8.0 saves a transposed or strided NumPy array as other numbers, and says nothing.
#
# Seen: 2026-11-28, safetensors 0.8.0 (the newest), numpy 1.26.4, Python 3.11.
# save() and save_file() write the memory as it lies and the shape as it reads: a view such as a.T or a[:, ::2] comes
# back with its values in the wrong places, or with values that it never held. 0.4.5 to 0.7.0 wrote it right.
# Whoever converts weights (a .T for a linear layer, a slice of a checkpoint) gets a file that loads and is wrong.
# np.ascontiguousarray() before saving is the way round it.
#   output: 0.7.0 right, 0.8.0 wrong: [[0, 3], [1, 4], [2, 5]] came back as [[0, 1], [2, 3], [4, 5]]
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

round_trip() { # VERSION: what a.T reads as after a save and a load
    python3 -m venv "$tmp/$1"
    "$tmp/$1/bin/pip" install -q --disable-pip-version-check "safetensors==$1" numpy==1.26.4
    "$tmp/$1/bin/python" - <<'PY'
import numpy as np
from safetensors.numpy import load, save

view = np.arange(6, dtype=np.float32).reshape(2, 3).T
print(load(save({"weight": view}))["weight"].astype(int).tolist())
assert np.array_equal(load(save({"weight": np.ascontiguousarray(view)}))["weight"], view)
PY
}
before=$(round_trip 0.7.0)
now=$(round_trip 0.8.0)
echo "0.7.0: $before  0.8.0: $now"
[ "$before" = "[[0, 3], [1, 4], [2, 5]]" ] && [ "$now" = "[[0, 1], [2, 3], [4, 5]]" ] || { echo "changed"; exit 1; }
echo "as seen: 0.8.0 writes a transposed array wrong, in silence"
