#!/usr/bin/env bash
# uv writes a PEP 751 lock that pip calls inconsistent with itself: a wheel whose metadata only uv mends.
#
# Seen: 2026-11-28, uv 0.13.9, pip 26.3, packaging 26.4, omegaconf 2.0.6 and PyYAML 6.0.4, Python 3.11.
# omegaconf 2.0.6 (fairseq and older speech and face models pin it) asks for "PyYAML (>=5.1.*)", which no current rule
# allows. uv reads it as >=5.1, locks it and installs the lock. pip takes the lock for good, then drops the one file that
# it names, and says that 2.0.6 "is not compatible with version 2.0.6 specified in a provided lock file".
# packaging.pylock finds nothing wrong. It is the wheel, not the lock: nothing that reads the lock alone can tell.
#   output: uv sync 0; packaging omegaconf 2.0.6; pip 1: not compatible with version 2.0.6 specified in a provided lock
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/tools"
"$tmp/tools/bin/pip" install -q --disable-pip-version-check uv==0.13.9 pip==26.3 packaging==26.4
export UV_CACHE_DIR=$tmp/cache
uv=$tmp/tools/bin/uv

printf 'omegaconf==2.0.6\npyyaml==6.0.4\ntyping-extensions==4.16.0\n' >"$tmp/in.txt"
"$uv" pip compile -q --format pylock.toml "$tmp/in.txt" -o "$tmp/pylock.toml"
synced=0
"$uv" venv -q "$tmp/environment" && "$uv" pip sync -q --python "$tmp/environment" "$tmp/pylock.toml" || synced=$?
read_as=$("$tmp/tools/bin/python" - "$tmp/pylock.toml" <<'PY'
import sys, tomllib
from packaging.pylock import Pylock

with open(sys.argv[1], "rb") as lock:
    chosen = Pylock.from_dict(tomllib.load(lock)).select()
print(*(f"{package.name} {package.version}" for package, _ in chosen if package.name == "omegaconf"))
PY
)
code=0
"$tmp/tools/bin/pip" install -q --disable-pip-version-check --target "$tmp/pip" -r "$tmp/pylock.toml" 2>"$tmp/error" || code=$?
word=$(grep -o "omegaconf==2.0.6 is not compatible with version 2.0.6 specified in a provided lock file" "$tmp/error" || true)
echo "uv sync $synced; packaging $read_as; pip $code: $word"
[ "$synced" = 0 ] && [ "$read_as" = "omegaconf 2.0.6" ] && [ "$code" = 1 ] && [ -n "$word" ] || { echo "changed"; exit 1; }
echo "as seen: pip 26.3 refuses what uv 0.13.9 locked"
