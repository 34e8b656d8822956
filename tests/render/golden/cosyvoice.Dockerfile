# Rendered from stacks/cosyvoice by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-0530501d0a03 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   onnxruntime-gpu-1.20.2-py3-none-any.whl sha256:e898b2fbdc5352158c0710fd87ca5eaaa4a5ebc498a2023e027b8a4d0d96507b
#   torch-2.5.1-py3-none-any.whl sha256:b0826a2f197e43684c1ee3cf42650849cd4b79288532be3bb1790ce3ba68f069
FROM modelstacks/layers:debian-2e22f291af15 AS layered

FROM layered AS system
RUN --mount=from=debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      ffmpeg=1 \
      libsndfile1=1 \
      sox=1 \
 && rm -rf /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log \
 && find / -xdev \( -path /mnt/debs -o -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/resolv.conf \) \
      -prune -o -newermt "@$((start - 1))" -exec touch --no-dereference --date=@315532800 {} +

FROM base AS installer
ENV UV_NO_CACHE=1 UV_NO_CONFIG=1 UV_OFFLINE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never \
    PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN --mount=from=uv,target=/mnt/uv \
    /mnt/uv/uv venv --quiet --python /usr/bin/python3 /opt/venv \
 && rm -f /opt/venv/.lock /opt/venv/.gitignore /opt/venv/CACHEDIR.TAG

FROM layered AS bytecode-layer
RUN { PYTHONHASHSEED=0 /usr/bin/python3 -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && mkdir -p /layer \
 && find /opt/venv/lib -type d -name __pycache__ -exec cp --archive --parents --target-directory /layer {} + \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM installer AS wheels-layer
RUN --mount=from=uv,target=/mnt/uv --mount=from=wheels,target=/mnt/wheels \
    /mnt/uv/uv pip install --quiet --python /opt/venv/bin/python --no-index --no-deps --no-build \
      --find-links /mnt/wheels --require-hashes --requirements /mnt/wheels/requirements.txt \
 && printf '%s\n' /workspace/CosyVoice /workspace/CosyVoice/third_party/Matcha-TTS \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# openai-whisper: compiled under 3ec303d4bdbb9371a062c90075a5ba8aae59e039478039f5088ad7c7a0ab029f
# pyworld: compiled under b4aceff0fda284a9fb3c10d0d535bc46553174a1ab10174b43f2c4652b860930
# wget: compiled under 0709f11accb2549bd50bfc37ea9b5f3dda65ef197c11ee83ed54bbe2749d9fbd

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

FROM base AS sources-layer
RUN --mount=from=sources,target=/mnt/sources \
    mkdir -p /layer/workspace/CosyVoice \
 && echo '7a2f904210511fb45e7e1d0120fdd7a2da94329803478e492621fb6f498ee6c6  /mnt/sources/CosyVoice-ace7c47f41bb.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/CosyVoice-ace7c47f41bb.tar --directory /layer/workspace/CosyVoice \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=bytecode-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=sources-layer /layer/ /
COPY --link --from=extensions-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cuda_cupti/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cufft/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/curand/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cusolver/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/cusparse/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/nccl/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/nvjitlink/lib \
      /opt/venv/lib/python3.11/site-packages/nvidia/nvtx/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_cupti/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cufft/lib:/opt/venv/lib/python3.11/site-packages/nvidia/curand/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cusolver/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cusparse/lib:/opt/venv/lib/python3.11/site-packages/nvidia/nccl/lib:/opt/venv/lib/python3.11/site-packages/nvidia/nvjitlink/lib:/opt/venv/lib/python3.11/site-packages/nvidia/nvtx/lib
ENV GRADIO_ANALYTICS_ENABLED="False"
ENV HF_HUB_OFFLINE="1"
WORKDIR /workspace/CosyVoice
LABEL org.opencontainers.image.title="cosyvoice" \
      org.opencontainers.image.description="CosyVoice 2 and 3, speech of a text in a given voice, on torch 2.5.1 for CUDA 12.4" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="f1f41406ca6c87f4984fb1a29e2403dbe546ff86906e3f3c5db24d4dcd9746e7" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:f1f41406ca6c87f4984fb1a29e2403dbe546ff86906e3f3c5db24d4dcd9746e7" \
      io.modelstacks.mounts='[{"licence": "CosyVoice 2, Apache-2.0", "path": "/workspace/CosyVoice/pretrained_models/CosyVoice2-0.5B"}]'
