#!/bin/sh
# Make .venv from the hash-checked wheels of requirements.lock, or do nothing when it is current.
# A stamp written last tells a whole environment from a half-made one. CA_BUNDLE (files or
# folders joined by ":") is trusted beside the system's own store; PYTHON= picks the interpreter.
# WHEELS=DIR takes the wheels from that folder alone; OFFLINE=1 does so too (from assets/own-wheels) and forbids apt.
set -eu

cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/modelstacks.stamp
wheels=${WHEELS:-${OFFLINE:+assets/own-wheels}}

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; say "  fix: $2"; exit 3; }

# Nothing is newer than the stamp, its interpreter lives, and it was made at this very path: done.
current() {
    [ -f "$stamp" ] && [ "$stamp" -nt requirements.lock ] && [ "$stamp" -nt pyproject.toml ] &&
        [ "$stamp" -nt tools/venv.sh ] && [ -x "$venv/bin/python" ] || return 1
    read -r at < "$stamp"
    [ "$at" = "$PWD" ]
}
current && exit 0

# One making at a time, where flock exists; the one that waited finds the work done.
if command -v flock > /dev/null; then
    exec 9< requirements.lock
    flock 9
    current && exit 0
fi

# The newest interpreter from 3.10 on that runs, as "VERSION PATH".
pick() {
    for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3.10 python3}; do
        found=$("$name" -c 'import sys
if sys.version_info >= (3, 10): print("%d.%d.%d" % sys.version_info[:3], sys.executable)' 2> /dev/null) || continue
        [ -n "$found" ] && printf '%s\n' "$found" && return 0
    done
    return 1
}

apt_install() {
    say "==> installing $* with apt"
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"; } \
        > "$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "apt could not install $*" "see apt's words above"
    fi
    rm -f "$log"
}
can_apt() { [ -z "${OFFLINE:-}" ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; }

if ! picked=$(pick); then
    can_apt || fail "no Python 3.10 or newer is on the PATH" "install one (Debian, Ubuntu: sudo apt-get install python3-venv)"
    apt_install python3-venv
    picked=$(pick) || fail "this distribution's Python is older than 3.10" "install a newer one and run: make PYTHON=/path/to/it"
fi
version=${picked%% *}
python=${picked#* }
if ! "$python" -c 'import ensurepip, venv' 2> /dev/null; then
    package=python${version%.*}-venv
    can_apt || fail "$python lacks the venv module" "sudo apt-get install $package, or: make PYTHON=/another/python3"
    apt_install "$package"
fi

# What the environment depends on; the same text twice needs no second making.
wanted=$("$python" - << 'END'
import hashlib, sys
digest = hashlib.sha256(sys.version.encode())
for name in ("requirements.lock", "pyproject.toml", "tools/venv.sh"):
    digest.update(open(name, "rb").read())
print(digest.hexdigest())
END
)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$PWD
$wanted" ] && "$venv/bin/python" -c 'import builder' 2> /dev/null; then
    touch "$stamp"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# pip's words are kept aside: those of a failure are shown, the rest is noise about places it passed over.
pip() {
    if ! "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" > "$work/pip.log" 2>&1; then
        grep -v -e 'is ignored: it is' -e 'Looking in' -e '^Ignoring ' "$work/pip.log" | tail -n 15 >&2
        fail "pip $1 failed" "see pip's words above; behind a private CA: CA_BUNDLE=/path/to/ca.pem make venv"
    fi
}

# One bundle of public roots, what pip and the system trust, and CA_BUNDLE: a private CA adds and never replaces.
trust() {
    public=$("$venv/bin/python" -c 'from pip._vendor import certifi; print(certifi.where())' 2> /dev/null) || public=
    configured=$("$venv/bin/python" -m pip config get global.cert 2> /dev/null) || configured=
    for file in "$public" "$configured" "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
        /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        [ ! -f "$file" ] || { cat "$file"; echo; } >> "$work/ca.pem"
    done
    IFS=:
    for item in ${CA_BUNDLE:-}; do
        [ -e "$item" ] || fail "CA_BUNDLE names $item, which is not there" "name PEM files or folders, joined by :"
        for file in "$item" "$item"/*.pem "$item"/*.crt; do
            [ ! -f "$file" ] || { cat "$file"; echo; } >> "$work/ca.pem"
        done
    done
    unset IFS
    [ ! -f "$work/ca.pem" ] || { PIP_CERT=$work/ca.pem && SSL_CERT_FILE=$work/ca.pem && export PIP_CERT SSL_CERT_FILE; }
}

# The lines of requirements.lock that are of one package.
locked() { awk -v name="$1==" '/^[^ #]/ { ours = index($0, name) == 1 } ours' requirements.lock; }

# By uv, which takes a tenth of pip's time; it is a wheel of requirements.lock like the others. Its index and trust are
# pip's; which of several indexes has a file is all one, as its hash is known. False where it cannot do it, and pip then says why or does it.
by_uv() {
    locked uv > "$work/uv.lock"
    say "    bringing uv"
    [ -s "$work/uv.lock" ] && "$venv/bin/python" -m pip --disable-pip-version-check --no-input install "$@" --require-hashes \
        --only-binary :all: --no-deps -r "$work/uv.lock" > "$work/uv.log" 2>&1 || return 1
    if [ -z "$wheels" ]; then
        index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2> /dev/null)}}}
        more=${UV_EXTRA_INDEX_URL:-${PIP_EXTRA_INDEX_URL:-$("$venv/bin/python" -m pip config get global.extra-index-url 2> /dev/null)}}
        [ -z "$index" ] || set -- "$@" --default-index "$index"
        for one in $more; do set -- "$@" --index "$one"; done
    fi
    say "    uv brings the rest"
    "$venv/bin/uv" pip install --quiet --no-config --python "$venv/bin/python" --compile-bytecode --require-hashes \
        --only-binary :all: --no-deps --index-strategy unsafe-best-match "$@" -r requirements.lock > "$work/uv.log" 2>&1
}

began=$(date +%s)
say "==> making $venv with Python $version: $(grep -c '^[a-z]' requirements.lock) packages, some 10 to 60 s"
rm -rf "$venv"
"$python" -m venv "$venv" > "$work/venv.log" 2>&1 || { cat "$work/venv.log" >&2; fail "no virtual environment could be made" "see above"; }
if [ -n "$wheels" ]; then
    [ -d "$wheels" ] || fail "there is no folder $wheels" "WHEELS=DIR, the folder with the wheels of requirements.lock"
    set -- --no-index --find-links "$wheels"
else
    trust
    set --
fi
tool=uv
if ! by_uv "$@"; then
    tool=pip
    say "    uv could not; now by pip"
    pip install "$@" --require-hashes --only-binary :all: --no-deps -r requirements.lock
fi
if [ $tool != uv ] || ! "$venv/bin/uv" pip install --quiet --no-config --offline --python "$venv/bin/python" --no-deps \
    --no-build-isolation --no-index -e . > "$work/uv.log" 2>&1; then
    pip install --no-deps --no-build-isolation --no-index -e .
fi
# Where PYTHONDONTWRITEBYTECODE is set, each start would compile our own modules anew: a fifth of its time.
"$venv/bin/python" -m compileall -q builder || say "warning: builder/ cannot hold byte code; each start takes longer"
printf '%s\n%s\n' "$PWD" "$wanted" > "$stamp"
say "    $venv is made, by $tool ($(($(date +%s) - began)) s)"
