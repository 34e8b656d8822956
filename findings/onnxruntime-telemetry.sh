#!/usr/bin/env bash
# The Linux wheels of onnxruntime from 1.29.0 on send telemetry: an import writes a device id and a queue of events into
# the home folder, and a process that runs a session looks up the collector (strace: the name server within 25 s).
#
# Seen: 2026-11-28, onnxruntime 1.28.0 and 1.32.0 (CPU wheels; onnxruntime-gpu 1.31.1 holds the same), Python 3.11.
# ~/.cache/Microsoft/DeveloperTools/.onnxruntime/ gets `deviceid` (made by chance) and onnxruntime.db, an SQLite queue
# with the distribution, the processor and the kind of container. A build step that imports it leaves a layer that no
# second build makes again; a read-only home gives a warning on each import. ORT_DISABLE_TELEMETRY=1 stops it before
# anything is written, and so does CI=true, which is why a pipeline never shows it. Before 1.29 Linux wheels had none.
#   output: 1.28.0: 0 files; 1.32.0: 2 files, again: another id, with ORT_DISABLE_TELEMETRY=1 0, with CI=true 0
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"

import_it() { # HOME [VARIABLE=VALUE]: how many files an import leaves there; no network, only a loopback device
    mkdir "$tmp/$1"
    unshare --user --map-root-user --net env -i PATH="$PATH" HOME="$tmp/$1" "${@:2}" \
        "$tmp/venv/bin/python" -c 'import onnxruntime'
    find "$tmp/$1" -name deviceid -o -name onnxruntime.db | wc -l
}
install() { "$tmp/venv/bin/pip" install -q --disable-pip-version-check "onnxruntime==$1" numpy==2.4.6; }

install 1.28.0
before=$(import_it before)
install 1.32.0
now=$(import_it now) && again=$(import_it again)
off=$(import_it off ORT_DISABLE_TELEMETRY=1) && ci=$(import_it ci CI=true)
ids=$(find "$tmp/now" "$tmp/again" -name deviceid -exec cat {} \; -exec echo \; | sort -u | grep -c .)
echo "1.28.0: $before files; 1.32.0: $now files, $again files, $ids ids; ORT_DISABLE_TELEMETRY=1: $off; CI=true: $ci"
[ "$before $now $again $ids $off $ci" = "0 2 2 2 0 0" ] || { echo "changed"; exit 1; }
echo "as seen: onnxruntime 1.32.0 writes an id and a queue of events into the home folder"
