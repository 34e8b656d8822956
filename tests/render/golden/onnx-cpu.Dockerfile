# Rendered from stacks/onnx-cpu by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   opencv_python_headless-4.9.0.80-cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl sha256:976656362d68d9f40a5c66f83901430538002465f7db59142784f3893918f3df
#   scipy-1.11.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl sha256:530f9ad26440e85766509dbf78edcfe13ffd0ab7fec2560ee5c36ff74d6269ff
FROM modelstacks/layers:debian-044958db4bcb AS layered

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
LABEL org.opencontainers.image.title="onnx-cpu" \
      org.opencontainers.image.description="onnxruntime on the CPU with numpy, scipy and OpenCV" \
      org.opencontainers.image.version="2026.11.21" \
      org.opencontainers.image.revision="eaa3eabd6d5bfcb06012be8cce432f132ffed37250a22b3d9d62cc77ae191a1c" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:eaa3eabd6d5bfcb06012be8cce432f132ffed37250a22b3d9d62cc77ae191a1c"
