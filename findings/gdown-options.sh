#!/usr/bin/env bash
# The gdown commands of older pages end at once with gdown 6: --id and --fuzzy are gone, and which release a stack gets
# hangs on its Python.
#
# Seen: 2026-11-28, gdown 5.2.2 (the last for Python 3.8) and 6.5.1, Python 3.11.
# `gdown --fuzzy URL` and `gdown --id ID` stand in the fetch scripts of many model repositories. 6.x has neither and
# leaves with 2 and "unrecognized arguments"; in a script without `set -e` the next step finds no weights. A Python 3.8
# stack resolves to 5.2.2 and works, the same script moved to a newer Python does not. Both options are not needed:
# 5.x and 6.x take a bare id.
#   output: 5.2.2: --fuzzy known, --id known; 6.5.1: --fuzzy exit 2, --id exit 2
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

option() { # OPTION: whether the help has it, else the exit code of its use (the arguments are read before any network)
    if "$tmp/venv/bin/gdown" --help | grep -q -- "\[$1\]"; then
        echo "$1 known"
    else
        code=0
        "$tmp/venv/bin/gdown" "$1" 1l_5RK28JRL19wpT22B-DY9We3TVXnnQQ >/dev/null 2>"$tmp/error" || code=$?
        grep -q "unrecognized arguments: $1" "$tmp/error" && echo "$1 exit $code"
    fi
}
options() { # VERSION of gdown
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "gdown==$1"
    echo "$(option --fuzzy), $(option --id)"
}
five=$(options 5.2.2)
six=$(options 6.5.1)
echo "5.2.2: $five; 6.5.1: $six"
[ "$five" = "--fuzzy known, --id known" ] && [ "$six" = "--fuzzy exit 2, --id exit 2" ] || { echo "changed"; exit 1; }
echo "as seen: gdown 6 refuses the options of older pages"
