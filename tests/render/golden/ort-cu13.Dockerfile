# Rendered from stacks/ort-cu13 by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66af89cf910a AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   nvidia_cudnn_cu13-9.28.1.4-py3-none-manylinux_2_27_x86_64.whl sha256:a54f205b1db1f2895d99f398754db1369816f0569dd459731f925635cf7b65ec
#   nvidia_cublas-13.1.2.11-py3-none-manylinux_2_27_x86_64.whl sha256:e1ad7b57879088bc79e31cc172891a64332f76ae733084d4aaaaa65499b9b3de
#   nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3
#   nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575
#   nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl sha256:1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc
#   nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b
#   onnxruntime_gpu-1.31.1-cp313-cp313-manylinux_2_28_x86_64.whl sha256:f659529e07c21ec6b6179fd1bfaf82ffb7c3dc9c0916e18f6f313f9a690891be
#   opencv_python_headless-4.14.0.94-cp37-abi3-manylinux_2_28_x86_64.whl sha256:211e581f5a4670acbbe08fff36a35e9946039d2eea28b80394632d036d1be527
#   scipy-1.18.1-cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl sha256:fdaf5ea890a6183d0565f51a61799d67081bd5b1cf03c5f4b3fd3732108625c9
FROM modelstacks/layers:debian-684284d6cc33 AS layered

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
      /opt/venv/lib/python3.13/site-packages/nvidia/cu13/lib \
      /opt/venv/lib/python3.13/site-packages/nvidia/cudnn/lib \
      > /etc/ld.so.conf.d/000-modelstacks.conf \
 && ldconfig -X \
 && rm -rf /var/cache/ldconfig/aux-cache \
 && find /etc /var/cache/ldconfig -xdev -newermt "@$((start - 1))" -not -path /etc/resolv.conf -not -path /etc/hosts \
      -exec touch --no-dereference --date=@315532800 {} +
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.13/site-packages/nvidia/cu13/lib:/opt/venv/lib/python3.13/site-packages/nvidia/cudnn/lib
ENV ORT_DISABLE_TELEMETRY="1"
LABEL org.opencontainers.image.title="ort-cu13" \
      org.opencontainers.image.description="onnxruntime-gpu 1.31 with CUDA 13 and cuDNN 9, numpy and OpenCV, on Debian 13 and Python 3.13" \
      org.opencontainers.image.version="2026.11.28" \
      org.opencontainers.image.revision="70719a8cc2eaf56dc4263e53c62f0b49eaa8d200c5aeddb8c091e15e2473ee67" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:70719a8cc2eaf56dc4263e53c62f0b49eaa8d200c5aeddb8c091e15e2473ee67"
