#!/usr/bin/env bash
# opencv 5 has arrays of one dimension: results lose an axis, and a place in a vector is told the other way round.
#
# Seen: 2026-11-28, opencv-python-headless 4.13.0.92 and 5.0.0.93, numpy 2.4.6, Python 3.11.
# Nothing raises. A histogram is (256,) where it was (256, 1), so that `hist[:, 0]` fails far away and a broadcast with a
# column gives a matrix; cv2.normalize keeps (3,) where it made (3, 1); minMaxLoc of a vector gives (x, y) = (2, 0) where
# it gave (0, 2). The wheel is for CPython 3.7 and later, and so comes to a Python 3.8 stack that names no version.
#   output: 4.13.0: (256, 1) (3, 1) (0, 2); 5.0.0: (256,) (3,) (2, 0)
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

shapes() { # VERSION of opencv-python-headless
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "opencv-python-headless==$1" numpy==2.4.6
    "$tmp/venv/bin/python" - <<'PY'
import cv2
import numpy as np

vector = np.array([1.0, 2.0, 5.0])
histogram = cv2.calcHist([np.zeros((4, 4), np.uint8)], [0], None, [256], [0, 256])
print(histogram.shape, cv2.normalize(vector, None).shape, cv2.minMaxLoc(vector)[3])
PY
}
four=$(shapes 4.13.0.92)
five=$(shapes 5.0.0.93)
echo "4.13.0: $four; 5.0.0: $five"
[ "$four" = "(256, 1) (3, 1) (0, 2)" ] && [ "$five" = "(256,) (3,) (2, 0)" ] || { echo "changed"; exit 1; }
echo "as seen: opencv 5 drops an axis in silence"
