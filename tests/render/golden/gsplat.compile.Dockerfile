# Rendered from stacks/gsplat by modelstacks: compiles gsplat without a network and without a GPU.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

FROM base AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM installer AS wheels-torch-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-torch,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cublas-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cublas,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cudnn-cu13-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cudnn-cu13,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cufft-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cufft,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cusolver-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cusolver,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

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
      binutils-common=2.40-2 \
      binutils-x86-64-linux-gnu=2.40-2 \
      binutils=2.40-2 \
      ccache=4.8+really4.7.5-1 \
      cpp-12=12.2.0-14+deb12u1 \
      cpp=4:12.2.0-3 \
      g++-12=12.2.0-14+deb12u1 \
      g++=4:12.2.0-3 \
      gcc-12=12.2.0-14+deb12u1 \
      gcc=4:12.2.0-3 \
      libasan8=12.2.0-14+deb12u1 \
      libatomic1=12.2.0-14+deb12u1 \
      libbinutils=2.40-2 \
      libc-dev-bin=2.36-9+deb12u14 \
      libc6-dev=2.36-9+deb12u14 \
      libcc1-0=12.2.0-14+deb12u1 \
      libcrypt-dev=1:4.4.33-2 \
      libctf-nobfd0=2.40-2 \
      libctf0=2.40-2 \
      libexpat1-dev=2.5.0-1+deb12u2 \
      libgcc-12-dev=12.2.0-14+deb12u1 \
      libgomp1=12.2.0-14+deb12u1 \
      libgprofng0=2.40-2 \
      libhiredis0.14=0.14.1-3 \
      libisl23=0.25-1.1 \
      libitm1=12.2.0-14+deb12u1 \
      libjansson4=2.14-2 \
      libjs-jquery=3.6.1+dfsg+~3.5.14-1 \
      libjs-sphinxdoc=5.3.0-4 \
      libjs-underscore=1.13.4~dfsg+~1.11.4-3 \
      liblsan0=12.2.0-14+deb12u1 \
      libmpc3=1.3.1-1 \
      libmpfr6=4.2.0-1 \
      libnsl-dev=1.3.0-2 \
      libpython3-dev=3.11.2-1+b1 \
      libpython3.11-dev=3.11.2-6+deb12u8 \
      libpython3.11=3.11.2-6+deb12u8 \
      libquadmath0=12.2.0-14+deb12u1 \
      libstdc++-12-dev=12.2.0-14+deb12u1 \
      libtirpc-dev=1.3.3+ds-1 \
      libtsan2=12.2.0-14+deb12u1 \
      libubsan1=12.2.0-14+deb12u1 \
      linux-libc-dev=6.1.176-1 \
      python3-dev=3.11.2-1+b1 \
      python3-distutils=3.11.2-3 \
      python3-lib2to3=3.11.2-3 \
      python3.11-dev=3.11.2-6+deb12u8 \
      rpcsvc-proto=1.4.3-1 \
      zlib1g-dev=1:1.2.13.dfsg-1 \
 && rm -rf /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log \
 && find / -xdev \( -path /mnt/debs -o -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +
COPY --link --from=wheels-torch-layer /layer/ /
COPY --link --from=wheels-nvidia-cublas-layer /layer/ /
COPY --link --from=wheels-nvidia-cudnn-cu13-layer /layer/ /
COPY --link --from=wheels-nvidia-cufft-layer /layer/ /
COPY --link --from=wheels-nvidia-cusolver-layer /layer/ /
COPY --link --from=toolchain-layer /layer/ /
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv
ENV CUDA_HOME=/opt/venv/lib/python3.11/site-packages/nvidia/cu13 PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cu13/bin:$PATH FORCE_CUDA=1
RUN test -e "$CUDA_HOME/lib64" || ln -s lib "$CUDA_HOME/lib64"; \
    for file in "$CUDA_HOME"/lib/lib*.so.*; do \
      test -e "${file%%.so.*}.so" || test ! -e "$file" || ln -s "${file##*/}" "${file%%.so.*}.so"; \
    done
ENV TORCH_CUDA_ARCH_LIST="9.0;12.0"

FROM compiler AS compiled
ARG MAX_JOBS
RUN --mount=from=uv,target=/mnt/uv --mount=from=source,target=/mnt/source \
    --mount=type=cache,id=modelstacks-ccache,target=/var/cache/ccache \
    mkdir -p /build/gsplat /out \
 && tar --extract --no-same-owner --file /mnt/source/source.tar --directory /build/gsplat \
 && cd /build/gsplat \
 && if command -v ccache > /dev/null; then \
      echo ae37ab19cd5711d89ff4178549d2fff3344c5342ec59e9e7d40e6d00bce506ed > /tmp/surroundings; \
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
