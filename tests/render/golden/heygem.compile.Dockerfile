# Rendered from stacks/heygem by modelstacks: compiles apstone without a network and without a GPU.

FROM modelstacks/base:image-19faa9366902 AS base

FROM base AS system
RUN --mount=from=debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      ca-certificates=1 \
      ffmpeg=1 \
      libgl1=1 \
      libglib2.0-0=1 \
      libglu1-mesa=1 \
      libsndfile1=1 \
      libstdc++6=1 \
      python3=1 \
 && rm -rf /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log \
 && find / -xdev \( -path /mnt/debs -o -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +

FROM system AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM installer AS toolchain-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=toolchain,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS compiler
COPY --link --from=toolchain-layer /layer/ /
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
ENV TORCH_CUDA_ARCH_LIST="7.0;7.5;8.0;8.6;8.9;9.0"

FROM compiler AS compiled
ARG MAX_JOBS
RUN --mount=from=uv,target=/mnt/uv --mount=from=source,target=/mnt/source \
    --mount=type=cache,id=modelstacks-ccache,target=/var/cache/ccache \
    mkdir -p /build/apstone /out \
 && tar --extract --no-same-owner --file /mnt/source/source.tar --directory /build/apstone \
 && cd /build/apstone \
 && if command -v ccache > /dev/null; then \
      echo d5cd844cb082248df07342f85533fdf7224f32a73354630cda2237f2ad6bf709 > /tmp/surroundings; \
      export CCACHE_DIR=/var/cache/ccache CCACHE_COMPILERCHECK=content CCACHE_EXTRAFILES=/tmp/surroundings; \
      for name in cc c++; do test -e /usr/lib/ccache/$name || ln -s ../../bin/ccache /usr/lib/ccache/$name; done; \
      export PATH=/usr/lib/ccache:$PATH; \
      if test -x "$CUDA_HOME/bin/nvcc"; then \
        printf '#!/bin/sh\nexec ccache "%s" "$@"\n' "$CUDA_HOME/bin/nvcc" > /usr/local/bin/ccache-nvcc; \
        chmod +x /usr/local/bin/ccache-nvcc; \
        export PYTORCH_NVCC=/usr/local/bin/ccache-nvcc; \
      fi; \
    fi \
 && SOURCE_DATE_EPOCH=315532800 \
    /mnt/uv/uv build --wheel --no-build-isolation --python /opt/venv/bin/python --out-dir /out .

FROM scratch
COPY --from=compiled /out/*.whl /
