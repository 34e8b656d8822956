# Rendered from stacks/sadtalker by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-0530501d0a03 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   torch-2.1.2-py3-none-any.whl sha256:1c22150de3563033dd4d69e39b51d3f336d6d5f2754a35889c90312ff0fb533a
#   opencv-python-headless-4.9.0.80-py3-none-any.whl sha256:db326b3ea1c2738f97776c5bcc88e2be93430ef3bd9377fdd213c605d73faa86
FROM modelstacks/layers:debian-5a40e990a10c AS layered

FROM layered AS system
RUN --mount=from=debs,target=/mnt/debs --mount=type=tmpfs,target=/tmp \
    start=$(date +%s) \
 && mkdir -p /tmp/apt/lists/partial /tmp/apt/cache/archives/partial \
 && export APT_CONFIG=/mnt/debs/apt.conf DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH=315532800 \
 && apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends \
      ffmpeg=1 \
      libgl1=1 \
      libglib2.0-0=1 \
      libsndfile1=1 \
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
 && printf '%s\n' /workspace/SadTalker \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# basicsr: compiled under 8714141c378fa701bc9cf56c292b156f6b8e4335debca2be8eeb85244310302d

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
    mkdir -p /layer/workspace/SadTalker \
 && echo '5ccc5d570fc2456c333bc26b4056c488bd116eaa600484db9e301b52b088a644  /mnt/sources/SadTalker-cd4c0465ae0b.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/SadTalker-cd4c0465ae0b.tar --directory /layer/workspace/SadTalker \
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
WORKDIR /workspace/SadTalker
LABEL org.opencontainers.image.title="sadtalker" \
      org.opencontainers.image.description="SadTalker, a talking head of one image and speech, on torch 2.1.2 for CUDA 12.1" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="d125c58719c64e5d98fe318e2ef37bd7b521f21c733320e65e7f2d50c3a26e8b" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:d125c58719c64e5d98fe318e2ef37bd7b521f21c733320e65e7f2d50c3a26e8b" \
      io.modelstacks.mounts='[{"licence": "SadTalker, Apache-2.0 as its code", "path": "/workspace/SadTalker/checkpoints/mapping_00109-model.pth.tar"}, {"licence": "SadTalker, Apache-2.0 as its code", "path": "/workspace/SadTalker/checkpoints/mapping_00229-model.pth.tar"}, {"licence": "SadTalker, Apache-2.0 as its code", "path": "/workspace/SadTalker/checkpoints/SadTalker_V0.0.2_256.safetensors"}, {"licence": "SadTalker, Apache-2.0 as its code", "path": "/workspace/SadTalker/checkpoints/SadTalker_V0.0.2_512.safetensors"}, {"licence": "facexlib, MIT", "path": "/workspace/SadTalker/gfpgan/weights/alignment_WFLW_4HG.pth"}, {"licence": "facexlib, MIT", "path": "/workspace/SadTalker/gfpgan/weights/detection_Resnet50_Final.pth"}, {"licence": "facexlib, MIT", "path": "/workspace/SadTalker/gfpgan/weights/parsing_parsenet.pth"}, {"licence": "GFPGAN, Apache-2.0 and parts of NVIDIA\u0027s for research only", "path": "/workspace/SadTalker/gfpgan/weights/GFPGANv1.4.pth"}]'
