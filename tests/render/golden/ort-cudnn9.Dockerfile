# Rendered from stacks/ort-cudnn9 by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   nvidia_cudnn_cu12-9.28.0.42-py3-none-manylinux_2_27_x86_64.whl sha256:9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375
#   nvidia_cublas_cu12-12.9.3.13-py3-none-manylinux_2_27_x86_64.whl sha256:d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72
#   nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28
#   nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4
#   nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl sha256:49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e
#   nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9
#   onnxruntime_gpu-1.20.2-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl sha256:85057c7006457bee14fc2a57417b7e4f396f10d9c1b08b11aae08ac2b825eeda
#   opencv_python_headless-4.9.0.80-cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl sha256:976656362d68d9f40a5c66f83901430538002465f7db59142784f3893918f3df
#   scipy-1.11.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl sha256:530f9ad26440e85766509dbf78edcfe13ffd0ab7fec2560ee5c36ff74d6269ff
FROM modelstacks/layers:debian-6759174a1fc7 AS layered

FROM layered AS system

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
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=bytecode-layer /layer/ /
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
