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

say "==> making $venv with Python $version"
rm -rf "$venv"
"$python" -m venv "$venv" > "$work/venv.log" 2>&1 || { cat "$work/venv.log" >&2; fail "no virtual environment could be made" "see above"; }
if [ -n "$wheels" ]; then
    [ -d "$wheels" ] || fail "there is no folder $wheels" "WHEELS=DIR, the folder with the wheels of requirements.lock"
    set -- --no-index --find-links "$wheels"
else
    trust
    set --
fi
pip install "$@" --require-hashes --only-binary :all: --no-deps -r requirements.lock
pip install --no-deps --no-build-isolation --no-index -e .
# Where PYTHONDONTWRITEBYTECODE is set, each start would compile our own modules anew: a fifth of its time.
"$venv/bin/python" -m compileall -q builder || say "warning: builder/ cannot hold byte code; each start takes longer"
printf '%s\n%s\n' "$PWD" "$wanted" > "$stamp"
