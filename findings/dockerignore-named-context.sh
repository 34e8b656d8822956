#!/usr/bin/env bash
# A named context obeys a .dockerignore that lies in it: files of a checkout stay out of the image, with no word of it.
#
# Seen: 2026-11-28, Docker Engine 26.1.5 and buildx 0.13.1 of Debian 13.
# The rules are read for each context, not for the build alone. A checkout that is passed as `--build-context
# source=DIR` brings its upstream's .dockerignore, which was written for upstream's own image and often names weights,
# tests or submodules. `COPY --from=source / /source/` then copies less, succeeds, and shows nothing even with
# --progress plain. An archive in the context, or a folder above the checkout as the context, copies all.
#   output: as the context: .dockerignore code.py; one folder below it: .dockerignore code.py weights.pth
set -euo pipefail
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/build" "$tmp/checkouts/model"
printf '*.pth\n' >"$tmp/checkouts/model/.dockerignore"
echo 'print("code")' >"$tmp/checkouts/model/code.py"
echo weights >"$tmp/checkouts/model/weights.pth"

copied() { # CONTEXT FROM: what lands in the image
    printf 'FROM scratch\nCOPY --from=source %s /source/\n' "$2" >"$tmp/build/Dockerfile"
    docker buildx build --quiet --network none --build-context "source=$1" \
        --output "type=local,dest=$tmp/out" "$tmp/build" >"$tmp/log" 2>&1
    ls -A "$tmp/out/source" | tr '\n' ' '
    rm -rf "$tmp/out"
}
itself=$(copied "$tmp/checkouts/model" /)
below=$(copied "$tmp/checkouts" /model/)
echo "as the context: $itself; one folder below it: $below"
[ "$itself" = ".dockerignore code.py " ] && [ "$below" = ".dockerignore code.py weights.pth " ] || { echo "changed"; exit 1; }
echo "as seen: upstream's .dockerignore decides what a named context gives"
