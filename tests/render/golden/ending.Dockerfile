# Rendered from stacks/everything by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:image-c28c521a6480 AS base

FROM base AS system
RUN --mount=from=debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      g++=1.0 \
      libc6-dev=1.0 \
 && rm -rf /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log \
 && find / -xdev \( -path /mnt/debs -o -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +

FROM system AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM installer AS wheels-big-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-big,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-large-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-large,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && printf '%s\n' /workspace /workspace/more \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM base AS sources-layer
RUN --mount=from=sources,target=/mnt/sources \
    mkdir -p /layer/workspace /layer/workspace/more \
 && echo '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  /mnt/sources/code-aaaaaaaaaaaa.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/code-aaaaaaaaaaaa.tar --directory /layer/workspace \
 && echo '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  /mnt/sources/more-bbbbbbbbbbbb.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/more-bbbbbbbbbbbb.tar --directory /layer/workspace/more \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM base AS weights-layer
RUN --mount=from=weights,target=/mnt/weights \
    mkdir /layer \
 && install -D --mode=0644 '/mnt/weights/0-net.bin' '/layer/weights/net.bin' \
 && echo '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  /layer/weights/net.bin' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-net.bin' '/layer/weights/deep/net.bin' \
 && echo '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  /layer/weights/deep/net.bin' | sha256sum --check --quiet --strict \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS installed
COPY --link --from=wheels-big-layer /layer/ /
COPY --link --from=wheels-large-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=sources-layer /layer/ /
COPY --link --from=weights-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
      /opt/venv/lib/python3.11/site-packages/beta/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib:/opt/venv/lib/python3.11/site-packages/beta/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ENV GREETING="two words"
ENV MY_HOME="/workspace"
# lines of the stack that run: 8552267e24dd38a43be3e60f26a0209bce6205f04293e152bab1c2e958e3aa26
FROM installed AS again
RUN --mount=from=run,target=/mnt/run --mount=type=tmpfs,target=/tmp \
    /opt/venv/bin/python -I /mnt/run/run.py again

FROM installed AS final
RUN --mount=from=run,target=/mnt/run --mount=from=again,target=/mnt/again --mount=type=tmpfs,target=/tmp \
    /opt/venv/bin/python -I /mnt/run/run.py
RUN start=$(date +%s) \
 && { echo 'app:x:1234:1234::/home/app:/bin/sh'; cat /etc/passwd; } > /tmp/passwd \
 && { echo 'app:x:1234:'; cat /etc/group; } > /tmp/group \
 && cat /tmp/passwd > /etc/passwd && cat /tmp/group > /etc/group && rm /tmp/passwd /tmp/group \
 && mkdir -p /home/app \
 && chown 1234:1234 /home/app && chmod 1777 /home/app \
 && find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +
ENV HOME=/home/app USER=app
USER 1234:1234
LABEL org.opencontainers.image.title="everything" \
      org.opencontainers.image.description="Uses every part of a Dockerfile" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" \
      org.opencontainers.image.base.name="registry.example:5000/cuda" \
      io.modelstacks.lock="sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
