#!/usr/bin/env bash
# Offline, snapshot_download calls a repository complete that holds one small file of it; the weights need not be there.
#
# Seen: 2026-11-28, huggingface_hub 0.36.2 and 2.4.0, Python 3.11.
# With HF_HUB_OFFLINE=1 (or local_files_only) it looks for the folder of the revision and returns it. What is in it is
# not compared with anything, a pattern that matches no file is no error, and that the folder came from one
# hf_hub_download of config.json is not known. An image with half a cache passes "the snapshot is there" and fails when
# the model is loaded, from a place that names the folder. hf_hub_download of the file itself does tell.
#   output: 0.36.2: snapshot found, file LocalEntryNotFoundError; 2.4.0: the same
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
commit=0123456789abcdef0123456789abcdef01234567
repository=$tmp/cache/hub/models--someone--model
mkdir -p "$repository/blobs" "$repository/refs" "$repository/snapshots/$commit"
echo '{}' >"$repository/blobs/config"
ln -s ../../blobs/config "$repository/snapshots/$commit/config.json"
printf '%s' "$commit" >"$repository/refs/main"
python3 -m venv "$tmp/venv"

ask() { # VERSION of huggingface_hub
    "$tmp/venv/bin/pip" install -q --disable-pip-version-check "huggingface_hub==$1"
    HF_HUB_OFFLINE=1 HF_HOME="$tmp/cache" "$tmp/venv/bin/python" - <<'PY'
import os
from huggingface_hub import hf_hub_download, snapshot_download

folder = snapshot_download("someone/model", allow_patterns=["config.json", "model.safetensors"])
assert os.listdir(folder) == ["config.json"], os.listdir(folder)
try:
    hf_hub_download("someone/model", "model.safetensors")
except Exception as error:
    print("snapshot found, file", type(error).__name__)
PY
}
one=$(ask 0.36.2)
two=$(ask 2.4.0)
echo "0.36.2: $one; 2.4.0: $two"
[ "$one" = "snapshot found, file LocalEntryNotFoundError" ] && [ "$two" = "$one" ] || { echo "changed"; exit 1; }
echo "as seen: an offline snapshot is a folder, not a whole model"
