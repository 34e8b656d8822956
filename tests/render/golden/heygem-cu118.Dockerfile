# Rendered from stacks/heygem-cu118 by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

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
 && printf '%s\n' /opt/heygem /code \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# apstone: compiled under 3e6c628b07912821803596f91e4886e4d0c3f840905705fce6f07a6b376b6390
# cv2box: compiled under 79777c4ef8591bdd9e66ba9643f533fba94fbbd6fd12db8a78769927768ca1b0
# pyopengl: compiled under df5723fdb7610a116c6b9944ad68110c9f34a87e4cce3ff881f702de7b40a790
# python-speech-features: compiled under e4c21f6850de15f36cb1da219db580ab21231a5f8103decfc908cb2898851a75
# resampy: compiled under 66d64db1456b471e9e77826280abc73441a7cc3a8359871017c5fecfcce00714

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
    mkdir -p /layer/opt/heygem/heygem_start \
 && cp --recursive --no-target-directory /mnt/files/heygem_start /layer/opt/heygem/heygem_start \
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
COPY --link --from=files-layer /layer/ /
COPY --link --from=extensions-layer /layer/ /
RUN start=$(date +%s) \
 && printf '%s\n' \
      /opt/venv/lib/python3.8/site-packages/nvidia/cublas/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cuda_cupti/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cuda_nvrtc/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cuda_runtime/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cudnn/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cufft/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/curand/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cusolver/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/cusparse/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/nccl/lib \
      /opt/venv/lib/python3.8/site-packages/nvidia/nvtx/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.8/site-packages/nvidia/cublas/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cuda_cupti/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cuda_nvrtc/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cuda_runtime/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cudnn/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cufft/lib:/opt/venv/lib/python3.8/site-packages/nvidia/curand/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cusolver/lib:/opt/venv/lib/python3.8/site-packages/nvidia/cusparse/lib:/opt/venv/lib/python3.8/site-packages/nvidia/nccl/lib:/opt/venv/lib/python3.8/site-packages/nvidia/nvtx/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
ENV GRADIO_ANALYTICS_ENABLED="False"
ENV HF_HUB_OFFLINE="1"
WORKDIR /code
ENTRYPOINT ["/opt/venv/bin/python", "-m", "heygem_start"]
LABEL org.opencontainers.image.title="heygem-cu118" \
      org.opencontainers.image.description="HeyGem (HeyGem-Linux-Python-Hack) with CUDA 11.8 and cuDNN 8, up to Hopper" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="91ca9413d0bba2ee69765a4997bd95611798e2433f68a12b981b171a99c538ef" \
      org.opencontainers.image.base.name="ubuntu" \
      io.modelstacks.lock="sha256:91ca9413d0bba2ee69765a4997bd95611798e2433f68a12b981b171a99c538ef" \
      io.modelstacks.mounts='[{"licence": "Silicon Intelligence community licence", "path": "/code/y_utils/liblcr.so"}, {"licence": "Silicon Intelligence community licence", "path": "/code/face_attr_detect/face_attr_epoch_12_220318.onnx"}, {"licence": "Silicon Intelligence community licence", "path": "/code/face_detect_utils/resources/pfpld_robust_sim_bs1_8003.onnx"}, {"licence": "Silicon Intelligence community licence", "path": "/code/face_detect_utils/resources/scrfd_500m_bnkps_shape640x640.onnx"}, {"licence": "Silicon Intelligence community licence", "path": "/code/face_detect_utils/resources/model_float32.onnx"}, {"licence": "Silicon Intelligence community licence", "path": "/code/landmark2face_wy/checkpoints/anylang/dinet_v1_20240131.pth"}, {"licence": "Silicon Intelligence community licence", "path": "/code/pretrain_models/face_lib/face_parsing/79999_iter.onnx"}, {"licence": "mixed; not read", "path": "/code/pretrain_models/face_lib/face_restore/gfpgan/GFPGANv1.4.onnx"}, {"licence": "mixed; not read", "path": "/code/xseg/xseg_211104_4790000.onnx"}, {"licence": "Silicon Intelligence community licence", "path": "/code/wenet/examples/aishell/aidata/exp/conformer/wenetmodel.pt"}]'
