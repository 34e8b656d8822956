# Rendered from stacks/audio2face-sdk by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:image-e201bca6ef1b AS base

FROM base AS system
RUN --mount=from=debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      ca-certificates=1 \
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

FROM installer AS wheels-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && printf '%s\n' /opt/audio2face \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# audio2face-sdk: compiled under ca80c6d73c9537def0e13d95449ef5dbafa29c98e30b1b16a9db6042d358aa24

FROM installer AS extensions-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=extensions,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
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
    mkdir -p /layer/opt/audio2face/audio2face_start /layer/opt/audio2face/tensorrt \
 && cp --recursive --no-target-directory /mnt/files/audio2face_start /layer/opt/audio2face/audio2face_start \
 && cp --recursive --no-target-directory /mnt/files/shim/tensorrt /layer/opt/audio2face/tensorrt \
 && chmod --recursive u=rwX,go=rX /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=files-layer /layer/ /
COPY --link --from=extensions-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.10/site-packages/nvidia/cuda_runtime/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cuda_nvrtc/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cublas/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/curand/lib \
      /opt/venv/lib/python3.10/site-packages/tensorrt_libs \
      /opt/venv/lib/python3.10/site-packages/audio2face_sdk/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.10/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cuda_nvrtc/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.10/site-packages/nvidia/curand/lib:/opt/venv/lib/python3.10/site-packages/tensorrt_libs:/opt/venv/lib/python3.10/site-packages/audio2face_sdk/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ENV AUDIO2FACE_ENGINES="/engines"
ENV AUDIO2FACE_MODELS="/models"
ENV LANG="C.UTF-8"
ENTRYPOINT ["/opt/venv/bin/python", "-m", "audio2face_start"]
LABEL org.opencontainers.image.title="audio2face-sdk" \
      org.opencontainers.image.description="Audio2Face-3D SDK (C++) for CUDA 12.8 and TensorRT 10.13, from Turing to Blackwell" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="d3d8f5b01d1182e8fd473692516a7cd2818d926280f1dabd4cdf4f32e668374b" \
      org.opencontainers.image.base.name="ubuntu" \
      io.modelstacks.lock="sha256:d3d8f5b01d1182e8fd473692516a7cd2818d926280f1dabd4cdf4f32e668374b" \
      io.modelstacks.mounts='[{"licence": "NVIDIA Open Model License", "path": "/models/audio2face-3d-v2.3.1-claire/network.onnx", "sha256": "6bb7a3a3c22491960e71a14742891e0d7205d7c80414aebe326cad82fd6867c3"}, {"licence": "NVIDIA Open Model License", "path": "/models/audio2face-3d-v2.3.1-james/network.onnx", "sha256": "acc43e2aade1f573c462b9930d031cc9f7db32ee69ac5aafe47be777f9b543ac"}, {"licence": "NVIDIA Open Model License", "path": "/models/audio2face-3d-v2.3-mark/network.onnx", "sha256": "dcd16d3b1affb090d4da1ba88791faa6bcd755f97c853b3b667abad9be15cb4b"}, {"licence": "NVIDIA Open Model License", "path": "/models/audio2face-3d-v3.0/network.onnx"}]'
