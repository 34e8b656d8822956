#!/usr/bin/env bash
# "import librosa" proves nothing: it succeeds where not one of its dependencies is installed.
#
# Seen: 2026-11-28, librosa 0.11.0 and 0.9.2, lazy-loader 0.6, Python 3.11; librosa 1.0.0 on Python 3.13 is as lazy.
# Its package is made of lazy names since 0.10: neither numpy nor numba, scipy or soundfile is touched before a first use.
# An image whose numba does not go with its numpy, or that lacks libsndfile, passes a smoke test by import and fails
# at librosa.load. EAGER_IMPORT=1, which lazy-loader knows, makes the import a real one; scikit-image is the same.
#   output: import: ok, modules: none; EAGER_IMPORT=1: ModuleNotFoundError; 0.9.2: ModuleNotFoundError
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
install() { "$tmp/venv/bin/pip" install -q --disable-pip-version-check --no-deps "$@"; }

import_it() { # [VARIABLE=VALUE]: how the import ends, and which of the dependencies it loaded
    env "$@" "$tmp/venv/bin/python" - <<'PY'
import sys
try:
    import librosa
    loaded = [name for name in ("numpy", "numba", "scipy", "soundfile") if name in sys.modules]
    print("ok, modules:", " ".join(loaded) or "none")
except ImportError as error:
    print(type(error).__name__)
PY
}
install librosa==0.11.0 lazy-loader==0.6 packaging==26.4
lazy=$(import_it)
eager=$(import_it EAGER_IMPORT=1)
install librosa==0.9.2
old=$(import_it)
echo "import: $lazy; EAGER_IMPORT=1: $eager; 0.9.2: $old"
[ "$lazy" = "ok, modules: none" ] && [ "$eager" = ModuleNotFoundError ] && [ "$old" = ModuleNotFoundError ] ||
    { echo "changed"; exit 1; }
echo "as seen: librosa 0.11.0 imports without any of its dependencies"
