#!/usr/bin/env bash
# onnxruntime up to 1.16.3 cannot be imported on Debian 13: its module asks for an executable stack, glibc 2.41 says no.
#
# Seen: 2026-11-28, onnxruntime 1.16.3 (cp311, manylinux2014) and 1.17.3, glibc 2.41 of Debian 13, Python 3.11.
# The wheel's tag promises glibc 2.17 and later, pip and uv install it, and no list of needed libraries shows it. The
# flag stands in PT_GNU_STACK of onnxruntime_pybind11_state (1.12.1 to 1.16.3; none from 1.17.3 on). On glibc up to 2.40
# (Debian 12, Ubuntu 22.04 and 24.04) the loader made the stack executable without a word. GLIBC_TUNABLES has a switch
# (glibc.rtld.execstack=2); a newer onnxruntime or an older base is the better way.
# Needs: mmdebstrap, which brings Debian 13's C library into a folder; the wheels run on it by its own loader.
#   output: cannot enable executable stack as shared object requires: Invalid argument; 1.17.3: imports
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
mmdebstrap --quiet --variant=extract --include=libc6,libstdc++6,libgomp1 trixie "$tmp/debian13" 2>/dev/null
libraries=$tmp/debian13/usr/lib/x86_64-linux-gnu
python3 -m venv "$tmp/venv"

import_on_debian13() { # VERSION: the last line of an import on that C library
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "onnxruntime==$1" numpy==1.26.4
    "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu" \
        "$tmp/venv/bin/python" -c '
import os, onnxruntime
print(os.confstr("CS_GNU_LIBC_VERSION"), "imports", onnxruntime.__version__)' 2>&1 | tail -n 1 || true
}
old=$(import_on_debian13 1.16.3)
new=$(import_on_debian13 1.17.3)
echo "1.16.3: ${old##*.so: }; 1.17.3: $new"
[[ $old == *"cannot enable executable stack"* ]] && [ "$new" = "glibc 2.41 imports 1.17.3" ] || { echo "changed"; exit 1; }
echo "as seen: glibc 2.41 refuses onnxruntime 1.16.3"
