# Rendered from stacks/liveportrait by modelstacks; change the stack, not this file.
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
      ffmpeg=1 \
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
 && printf '%s\n' /opt/liveportrait \
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
    mkdir -p /layer/workspace/LivePortrait \
 && echo 'bdc5d04ab16aa585f55dff3eaa017357c28a8b408c69ae10550bdaf97260c8e0  /mnt/sources/LivePortrait-1986663be3b6.tar' | sha256sum --check --quiet --strict \
 && tar --extract --no-same-owner --file /mnt/sources/LivePortrait-1986663be3b6.tar --directory /layer/workspace/LivePortrait \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM base AS weights-layer
RUN --mount=from=weights,target=/mnt/weights \
    mkdir /layer \
 && install -D --mode=0644 '/mnt/weights/1-appearance_feature_extractor.pth' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/appearance_feature_extractor.pth' \
 && echo '42b4d454d975a4dabe689693a6ed26cf6b20f52b59595b1efe3cd2befbebfa44  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/appearance_feature_extractor.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-motion_extractor.pth' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/motion_extractor.pth' \
 && echo '2cd02463135929c0aecf287777a2781025910d1ff7760bad31c9ba1166b9c1b1  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/motion_extractor.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-spade_generator.pth' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/spade_generator.pth' \
 && echo '42d3d22abb363372e11e77ab9e6c12695d37363c28d736092770ff46971d4988  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/spade_generator.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-warping_module.pth' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/warping_module.pth' \
 && echo '74827078d52e72607c295a35a92a2514f340762e5be01ff143b2f6a9cd57168a  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/base_models/warping_module.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-stitching_retargeting_module.pth' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/retargeting_models/stitching_retargeting_module.pth' \
 && echo '9d926734ca5aee33a02570bb84c81ae61509bda1045034733d37ee81d9e29514  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/retargeting_models/stitching_retargeting_module.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-landmark.onnx' '/layer/workspace/LivePortrait/pretrained_weights/liveportrait/landmark.onnx' \
 && echo 'c1519a52e24234ed0e886e8a67386d05bcacab7eed7061a93dd48ce84d891b66  /layer/workspace/LivePortrait/pretrained_weights/liveportrait/landmark.onnx' | sha256sum --check --quiet --strict \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# files of the stack itself: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
FROM base AS files-layer
RUN --mount=from=files,target=/mnt/files \
    mkdir -p /layer/opt/liveportrait/liveportrait_start \
 && cp --recursive --no-target-directory /mnt/files/liveportrait_start /layer/opt/liveportrait/liveportrait_start \
 && chmod --recursive u=rwX,go=rX /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=wheels-onnxruntime-gpu-layer /layer/ /
COPY --link --from=wheels-torch-layer /layer/ /
COPY --link --from=wheels-large-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=sources-layer /layer/ /
COPY --link --from=weights-layer /layer/ /
COPY --link --from=files-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.10/site-packages/nvidia/cublas/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cuda_cupti/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cuda_nvrtc/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cuda_runtime/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cudnn/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cufft/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cufile/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/curand/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cusolver/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/cusparse/lib \
      /opt/venv/lib/python3.10/site-packages/cusparselt/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/nccl/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/nvjitlink/lib \
      /opt/venv/lib/python3.10/site-packages/nvidia/nvtx/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.10/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cuda_cupti/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cuda_nvrtc/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cudnn/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cufft/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cufile/lib:/opt/venv/lib/python3.10/site-packages/nvidia/curand/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cusolver/lib:/opt/venv/lib/python3.10/site-packages/nvidia/cusparse/lib:/opt/venv/lib/python3.10/site-packages/cusparselt/lib:/opt/venv/lib/python3.10/site-packages/nvidia/nccl/lib:/opt/venv/lib/python3.10/site-packages/nvidia/nvjitlink/lib:/opt/venv/lib/python3.10/site-packages/nvidia/nvtx/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ENV GRADIO_ANALYTICS_ENABLED="False"
ENV GRADIO_SERVER_NAME="0.0.0.0"
ENV HF_HUB_OFFLINE="1"
WORKDIR /workspace/LivePortrait
ENTRYPOINT ["/opt/venv/bin/python", "-m", "liveportrait_start"]
LABEL org.opencontainers.image.title="liveportrait" \
      org.opencontainers.image.description="LivePortrait for people, from Turing to Blackwell (RTX 50), on torch 2.7.1 for CUDA 12.8" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="2641f993eca223bb456908d6c2565bb419ac31413aa21878bf8587d052c4744a" \
      org.opencontainers.image.base.name="ubuntu" \
      io.modelstacks.lock="sha256:2641f993eca223bb456908d6c2565bb419ac31413aa21878bf8587d052c4744a" \
      io.modelstacks.mounts='[{"licence": "insightface buffalo_l, non-commercial research only", "path": "/workspace/LivePortrait/pretrained_weights/insightface/models/buffalo_l/2d106det.onnx", "sha256": "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf"}, {"licence": "insightface buffalo_l, non-commercial research only", "path": "/workspace/LivePortrait/pretrained_weights/insightface/models/buffalo_l/det_10g.onnx", "sha256": "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"}]'
