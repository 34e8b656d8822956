#!/usr/bin/env bash
# A lock that uv makes on one patch release of Python is refused on an older one of the same Python.
#
# Seen: 2026-11-28, uv 0.13.9 and packaging 26.4, with Python 3.11.7.
# `uv pip compile --format pylock.toml` writes the running interpreter's full version as requires-python; pip 26.3, uv
# and packaging hold to it. A lock made on a workstation's 3.11.7 is no lock for Debian 12's 3.11.2 or an image whose
# 3.13 is a patch behind, though not one wheel in it differs. --python-version 3.11 gives ">=3.11", and `uv export`
# what the project says.
#   output: >=3.11.7, which 3.11.0 is refused by (PylockSelectError); with --python-version 3.11: >=3.11, taken
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/tools"
"$tmp/tools/bin/pip" install -q --disable-pip-version-check uv==0.13.9 packaging==26.4
export UV_CACHE_DIR=$tmp/cache
full=$(python3 -c 'import platform; print(platform.python_version())')
minor=${full%.*}
echo "six==1.17.0" >"$tmp/in.txt"

lock() { # [OPTION…]: requires-python of the lock, and whether it is taken on this Python's first patch release
    "$tmp/tools/bin/uv" pip compile -q --python "$tmp/tools/bin/python" "$@" \
        --format pylock.toml "$tmp/in.txt" -o "$tmp/pylock.toml"
    "$tmp/tools/bin/python" - "$tmp/pylock.toml" "$minor" <<'PY'
import sys, tomllib
from packaging.markers import default_environment
from packaging.pylock import Pylock

path, minor = sys.argv[1:]
with open(path, "rb") as text:
    lock = Pylock.from_dict(tomllib.load(text))
try:
    list(lock.select(environment={**default_environment(), "python_full_version": f"{minor}.0"}))
    print(lock.requires_python, "taken")
except Exception as error:
    print(lock.requires_python, type(error).__name__)
PY
    rm "$tmp/pylock.toml"
}
plain=$(lock)
asked=$(lock --python-version "$minor")
echo "on $full: $plain; with --python-version $minor: $asked"
[ "$plain" = ">=$full PylockSelectError" ] && [ "$asked" = ">=$minor taken" ] || { echo "changed"; exit 1; }
echo "as seen: the patch release of the machine that locked decides where the lock can be used"
