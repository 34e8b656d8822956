# Rendered from stacks/faster-whisper by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-66bbe5b72ac0 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   nvidia_cudnn_cu12-9.28.0.42-py3-none-manylinux_2_27_x86_64.whl sha256:9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375
#   nvidia_cublas_cu12-12.9.3.13-py3-none-manylinux_2_27_x86_64.whl sha256:d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72
#   nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl sha256:c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28
#   nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4
#   nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl sha256:49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e
#   nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl sha256:e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9
#   ctranslate2-4.8.5-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl sha256:79a30a2c974530dbb5083f4922d28ffad87e08542f423aa91c53fbf4543cc35f
#   av-18.1.0-cp311-abi3-manylinux_2_28_x86_64.whl sha256:8a032e8d8ebc73dec079364b9b4a6837638a2d106e8472314e685ffbf163e700
FROM modelstacks/layers:debian-5c6973b80a30 AS layered

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
 && printf '%s\n' /opt/whisper \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
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
    mkdir -p /layer/opt/whisper/whisper_service \
 && cp --recursive --no-target-directory /mnt/files/whisper_service /layer/opt/whisper/whisper_service \
 && chmod --recursive u=rwX,go=rX /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=bytecode-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=files-layer /layer/ /
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
ENV HF_HUB_OFFLINE="1"
ENV ORT_DISABLE_TELEMETRY="1"
ENTRYPOINT ["/opt/venv/bin/python", "-m", "whisper_service"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=30s --start-period=120s --retries=3 CMD ["/opt/venv/bin/python", "-m", "whisper_service", "health"]
LABEL org.opencontainers.image.title="faster-whisper" \
      org.opencontainers.image.description="faster-whisper as a service, speech to text over HTTP on the GPU (CUDA 12) or the CPU" \
      org.opencontainers.image.version="2026.11.28" \
      org.opencontainers.image.revision="a10044a189b8a2374070de33f87133629310d0d7b65faa9d7911e4edec8005fd" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:a10044a189b8a2374070de33f87133629310d0d7b65faa9d7911e4edec8005fd" \
      io.modelstacks.mounts='[{"licence": "MIT (Systran\u0027s conversions of OpenAI\u0027s models)", "path": "/model/model.bin"}, {"licence": "MIT", "path": "/model/config.json"}, {"licence": "MIT", "path": "/model/tokenizer.json"}, {"licence": "MIT", "path": "/model/vocabulary.txt"}]'
