# Rendered from stacks/audio2face-client by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

FROM base AS system

FROM base AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM installer AS wheels-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && printf '%s\n' /opt/a2f \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# files of the stack itself: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
FROM base AS files-layer
RUN --mount=from=files,target=/mnt/files \
    mkdir -p /layer/opt/a2f/a2f_client \
 && cp --recursive --no-target-directory /mnt/files/a2f_client /layer/opt/a2f/a2f_client \
 && chmod --recursive u=rwX,go=rX /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=files-layer /layer/ /
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
WORKDIR /data
ENTRYPOINT ["/opt/venv/bin/python", "-m", "a2f_client"]
LABEL org.opencontainers.image.title="audio2face-client" \
      org.opencontainers.image.description="Client of Audio2Face-3D, from audio to 52 blendshape weights a frame" \
      org.opencontainers.image.version="2026.11.21" \
      org.opencontainers.image.revision="f74e1ce891f70a73f40a07a4191379c20d1376d67a1a89efb9ab04f5edb23c43" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:f74e1ce891f70a73f40a07a4191379c20d1376d67a1a89efb9ab04f5edb23c43"
