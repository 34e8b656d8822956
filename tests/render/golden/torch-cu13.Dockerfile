# Rendered from stacks/torch-cu13 by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66af89cf910a AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   nvidia_cudnn_cu13-9.26.0.51-py3-none-manylinux_2_27_x86_64.whl sha256:9c976d539786698c71d6bcdbe2053b7485fae062ff7e1215d2f2ff67b1a2149a
#   nvidia_cublas-13.4.1.3-py3-none-manylinux_2_27_x86_64.whl sha256:a5917cb642cfb07f4a0231ee16aec7e2e0357d8cb8b1b78a0c9c68dba3e6afc7
#   nvidia_cusolver-12.2.0.11-py3-none-manylinux_2_27_x86_64.whl sha256:fab5778f6769947389a1a6abc07e635576825a08c0ffc68c3ae7f1392c794b42
#   nvidia_cufft-12.2.0.57-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:34da27fadf3979b0b042c43823f0530be8408b86df31ee0108e1ca0b621d4ef6
#   nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl sha256:cefa7fdb9710efd0f39c5f1be1d61ff6fc9a996c451265bd7fbdcf9455ed4b50
#   nvidia_cusparselt_cu13-0.8.1-py3-none-manylinux2014_x86_64.whl sha256:786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0
#   nvidia_cusparse-12.7.10.12-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:25907c75e4db1581685f06f61cc6cdecc04611765516a52373e0a18ebd69fa00
#   nvidia_nvshmem_cu13-3.7.2-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:b9a4f843c62b5dded8ad33fd6d220e007dcd39f06cee549292f5ba14ce4c235c
#   nvidia_cuda_nvrtc-13.2.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:8111c5130e967b78222ea2124145f8efe9ce201b752b2579a2513100a53be1c5
#   nvidia_nvjitlink-13.5.37-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:280d7cb9649704145f074b8dbde500de04ce02d0872e066e20a83c17bcaa93eb
#   torch-2.15.0-cp313-cp313-manylinux_2_28_x86_64.whl sha256:241fea2bac4ed8351307cd13eca5020fbe231f990891be299cf683897caebfbc
#   triton-3.9.0-cp312-abi3-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl sha256:5e52ab4e2f1d64f0ac494c9aa723697b793f81a91c4cae4c36608ca0bc4267bf
FROM modelstacks/layers:debian-85d3c0383bc7 AS layered

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
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
LABEL org.opencontainers.image.title="torch-cu13" \
      org.opencontainers.image.description="torch 2.15 and torchvision for CUDA 13, on Debian 13 and Python 3.13" \
      org.opencontainers.image.version="2026.11.28" \
      org.opencontainers.image.revision="e3b69e07d2731e2204194d4108108852e2f79a4ecfd9065a29acb41defe4ddf5" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:e3b69e07d2731e2204194d4108108852e2f79a4ecfd9065a29acb41defe4ddf5"
