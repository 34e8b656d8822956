# Rendered from stacks/ort-cudnn9 by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

FROM base AS system

FROM base AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM installer AS wheels-nvidia-cudnn-cu12-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cudnn-cu12,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cublas-cu12-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cublas-cu12,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-onnxruntime-gpu-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-onnxruntime-gpu,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-nvidia-cufft-cu12-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels-nvidia-cufft-cu12,target=/mnt/wheels \
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
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=wheels-nvidia-cudnn-cu12-layer /layer/ /
COPY --link --from=wheels-nvidia-cublas-cu12-layer /layer/ /
COPY --link --from=wheels-onnxruntime-gpu-layer /layer/ /
COPY --link --from=wheels-nvidia-cufft-cu12-layer /layer/ /
COPY --link --from=wheels-large-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cufft/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/curand/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/nvjitlink/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cufft/lib:/opt/venv/lib/python3.11/site-packages/nvidia/curand/lib:/opt/venv/lib/python3.11/site-packages/nvidia/nvjitlink/lib
LABEL org.opencontainers.image.title="ort-cudnn9" \
      org.opencontainers.image.description="onnxruntime on the GPU with CUDA 12 and cuDNN 9, numpy, scipy and OpenCV" \
      org.opencontainers.image.version="2026.11.21" \
      org.opencontainers.image.revision="1e2de770e89d9dec62e22f4367486b3e33995149a320149e63f1f9b69ae296cf" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:1e2de770e89d9dec62e22f4367486b3e33995149a320149e63f1f9b69ae296cf"
