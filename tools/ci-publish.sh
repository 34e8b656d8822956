#!/bin/sh
# The last step of a pipeline: publish $STACK to $REGISTRY, then verify it. Secrets come by the environment, and leave with it.
set -eu

fail() { printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2; exit 2; }
[ -n "${KEY_TEXT:-}" ] || fail "there is no key to sign with" "set the secret MODELSTACKS_KEY"

aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
umask 077
printf '%s\n' "$KEY_TEXT" > "$aside/cosign.key"
openssl pkey -in "$aside/cosign.key" -pubout -out "$aside/cosign.pub"
if [ -n "${REGISTRY_USER:-}" ]; then
    export DOCKER_CONFIG="$aside"
    printf '{"auths": {"%s": {"auth": "%s"}}}' "${REGISTRY%%/*}" \
        "$(printf '%s:%s' "$REGISTRY_USER" "${REGISTRY_PASSWORD:-}" | base64 | tr -d '\n')" > "$aside/config.json"
fi
unset KEY_TEXT REGISTRY_USER REGISTRY_PASSWORD
make publish STACK="$STACK" REGISTRY="$REGISTRY" KEY="$aside/cosign.key" REQUIRE_SMOKE="$REQUIRED" TAG="$TAG"
make verify IMAGE="$REGISTRY/$STACK:$TAG" KEY="$aside/cosign.pub" REQUIRE_SMOKE="$REQUIRED"
