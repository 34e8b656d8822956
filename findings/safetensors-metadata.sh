#!/usr/bin/env bash
# The same tensors with the same metadata are other bytes each time: safetensors keeps no order of its metadata.
#
# Seen: 2026-11-28, safetensors 0.8.0, numpy 1.26.4, Python 3.11.
# With two or more entries in `metadata` the header's order comes from a hash map seeded anew in each process (and each
# call): one conversion, run five times, gives files of several sha256. With one entry or none the bytes are the same.
# A hash of converted weights can therefore not be foretold, and a build step that converts them is not reproducible.
#   output: one entry: 1 digest in 8 runs; six entries: 8 digests in 8 runs
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==1.26.4

digests() { # ENTRIES: how many digests in eight processes
    for _ in 1 2 3 4 5 6 7 8; do
        PYTHONHASHSEED=0 "$tmp/venv/bin/python" - "$1" <<'PY'
import hashlib, sys
import numpy as np
from safetensors.numpy import save

tensors = {"a": np.ones(3, np.float32), "b": np.ones(2, np.float32)}
data = save(tensors, metadata={f"key{n}": "value" for n in range(int(sys.argv[1]))})
print(hashlib.sha256(data).hexdigest())
PY
    done | sort -u | wc -l
}
one=$(digests 1)
six=$(digests 6)
echo "one entry: $one digest(s) in 8 runs; six entries: $six digest(s) in 8 runs"
[ "$one" = 1 ] && [ "$six" -gt 1 ] || { echo "changed"; exit 1; }
echo "as seen: metadata makes the bytes of a safetensors file differ from run to run"
