# Rendered from stacks/musetalk by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-0530501d0a03 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   torch-2.5.1-py3-none-any.whl sha256:b0826a2f197e43684c1ee3cf42650849cd4b79288532be3bb1790ce3ba68f069
#   opencv-python-4.9.0.80-py3-none-any.whl sha256:4f88594a27cf8eef29c84a19e7732a702d9a24ef8e37e8d91d0857197e1b48e0
FROM modelstacks/layers:debian-411ebba41b8d AS layered

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
 && printf '%s\n' /workspace/MuseTalk \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# mmcv-lite: compiled under 90a33d8e4e941735e4aaadd54927d1c9f0959ad84dede4d4a3069d7a2c354287

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
    mkdir -p /layer/workspace/MuseTalk \
 && echo '187a87849606638799a98da4da6ce0ae23a29aa77fba575c8899379e081e56a9  /mnt/sources/MuseTalk-0a89dec45a01.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/MuseTalk-0a89dec45a01.tar --directory /layer/workspace/MuseTalk \
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
ENV TORCH_HOME="/opt/torch"
WORKDIR /workspace/MuseTalk
LABEL org.opencontainers.image.title="musetalk" \
      org.opencontainers.image.description="MuseTalk 1.5, lip sync of a video to any speech, on torch 2.5.1 for CUDA 12.4" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="4d96d08f7f1844c88b01381a76d2351d27c0d0310834323a1ed164dbf9ff9668" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:4d96d08f7f1844c88b01381a76d2351d27c0d0310834323a1ed164dbf9ff9668" \
      io.modelstacks.mounts='[{"licence": "MuseTalk: code MIT, weights for any use", "path": "/workspace/MuseTalk/models/musetalkV15/unet.pth"}, {"licence": "MuseTalk: code MIT, weights for any use", "path": "/workspace/MuseTalk/models/musetalkV15/musetalk.json"}, {"licence": "sd-vae-ft-mse, MIT", "path": "/workspace/MuseTalk/models/sd-vae/config.json"}, {"licence": "sd-vae-ft-mse, MIT", "path": "/workspace/MuseTalk/models/sd-vae/diffusion_pytorch_model.bin"}, {"licence": "whisper-tiny, Apache-2.0", "path": "/workspace/MuseTalk/models/whisper/config.json"}, {"licence": "whisper-tiny, Apache-2.0", "path": "/workspace/MuseTalk/models/whisper/pytorch_model.bin"}, {"licence": "whisper-tiny, Apache-2.0", "path": "/workspace/MuseTalk/models/whisper/preprocessor_config.json"}, {"licence": "DWPose, Apache-2.0", "path": "/workspace/MuseTalk/models/dwpose/dw-ll_ucoco_384.pth"}, {"licence": "face-parsing.PyTorch, MIT; trained on CelebAMask-HQ, non-commercial", "path": "/workspace/MuseTalk/models/face-parse-bisent/79999_iter.pth"}, {"licence": "torchvision, BSD; trained on ImageNet", "path": "/workspace/MuseTalk/models/face-parse-bisent/resnet18-5c106cde.pth"}, {"licence": "face-alignment, BSD", "path": "/opt/torch/hub/checkpoints/s3fd-619a316812.pth"}]'
