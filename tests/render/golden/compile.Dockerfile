# Rendered from stacks/one by modelstacks: compiles knn-ops without a network and without a GPU.

FROM modelstacks/base:debian-539efd3f5bef AS base

FROM base AS installer
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
RUN --mount=from=toolchain-debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      g++-12=12.2 \
      libc6-dev=12.2 \
 && rm -rf /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log \
 && find / -xdev \( -path /mnt/debs -o -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +
COPY --link --from=toolchain-layer /layer/ /
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
ENV CUDA_HOME=/opt/venv/lib/python3.11/site-packages/nvidia/cu13 PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cu13/bin:$PATH FORCE_CUDA=1
RUN test -e "$CUDA_HOME/lib64" || ln -s lib "$CUDA_HOME/lib64"; \
    for file in "$CUDA_HOME"/lib/lib*.so.*; do \
      test -e "${file%%.so.*}.so" || test ! -e "$file" || ln -s "${file##*/}" "${file%%.so.*}.so"; \
    done
ENV TORCH_CUDA_ARCH_LIST="8.6;9.0"

FROM compiler AS compiled
ENV CPPFLAGS="-O3"
ENV NVCC_APPEND_FLAGS="--use_fast_math"
ENV WITH_CUDA="1"
ARG MAX_JOBS
RUN --mount=from=uv,target=/mnt/uv --mount=from=source,target=/mnt/source \
    --mount=type=cache,id=modelstacks-ccache,target=/var/cache/ccache \
    mkdir -p /workspace /out \
 && tar --extract --no-same-owner --file /mnt/source/source.tar --directory /workspace \
 && cd /workspace/knn \
 && if command -v ccache > /dev/null; then \
      echo 97687c398bd6064a19d59bcae4a9142f7fa28e23ced088248f51a96f7cc272e3 > /tmp/surroundings; \
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
