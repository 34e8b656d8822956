# Rendered from stacks/talkinggaussian-modern by modelstacks; change the stack, not this file.
# Built without a network: every file comes from a named context, each by the hash in the lock.

FROM modelstacks/base:debian-0530501d0a03 AS base

# The base with the large wheels on it, each a layer that was made of the wheel once:
#   tensorflow-cpu-2.20.0-py3-none-any.whl sha256:90e7813b1a01431346a8bee943ff662ee23938d3b136b62c34ea4fdfc179b2b3
#   torch-2.11.0-py3-none-any.whl sha256:d92f755aff0a4d810625f06a0dbe1b34a5f3ff29ce55b83251fd0eee963f4fe4
#   opencv-python-4.12.0.88-py3-none-any.whl sha256:008b66a7f0b4be0ca451aa2f85c3b3f2c02867c2120c47983988ac93c80077c3
FROM modelstacks/layers:debian-05f60eceae9d AS layered

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
      libportaudio2=1 \
      libsm6=1 \
      libsndfile1=1 \
      libxext6=1 \
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
 && printf '%s\n' /workspace /workspace/data_utils/easyportrait /opt/talkinggaussian \
      > "$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/modelstacks.pth" \
 && find /opt/venv/lib -path '*.dist-info/RECORD' -exec sed -i '/\.dist-info\/uv_cache\.json,/d' {} + \
 && find /opt/venv/lib -path '*.dist-info/uv_cache.json' -delete \
 && { /opt/venv/bin/python -m compileall -qq -j 1 --invalidation-mode unchecked-hash /opt/venv/lib || true; } \
 && rm -f /opt/venv/.lock \
 && mkdir -p /layer/opt \
 && mv /opt/venv /layer/opt/venv \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# diff-gaussian-rasterization: compiled under 7dfb7b571e957052fedbbaf682799c21b32526e8e531ce592c6b239406c1c141
# simple-knn: compiled under ca6dbf6d0e3c958546bfe1d281501d8b0abc13930fcf9ddc36bb142f462752d2
# gridencoder: compiled under f3b70f2fd6585af55f67cd5900cadc6ed597527254f559ab6e80de2904078ec4
# mmcv-full: compiled under 1fab4afbb55b411109c5f7d898e7f74cd7e88c3ad229a3dc0c1b06cd6232cf21
# pytorch3d: compiled under 60d06a81a7a68ea4711063ee46a3a2ea76c8bebeb388ea2503b1a235155e13dd
# pyaudio: compiled under 31ff2142c99d4bbc8912807ca79cca2e1e36cbe3cd92a8e6a74577360ca917ef
# python-speech-features: compiled under 892c68acaf626ee193261e59038796c49cbde645465d03cb4db4c2fd4003c6ea

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
 && tar --extract --no-same-owner --file /mnt/wheels/inplace.tar --directory /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM base AS sources-layer
RUN --mount=from=sources,target=/mnt/sources \
    mkdir -p /layer/workspace \
 && tar --extract --no-same-owner --file /mnt/sources/TalkingGaussian-9bd34f732e30-edited-8c82ca368314.tar --directory /layer/workspace \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM base AS weights-layer
RUN --mount=from=weights,target=/mnt/weights \
    mkdir /layer \
 && install -D --mode=0644 '/mnt/weights/1-alexnet-owt-7be5be79.pth' '/layer/workspace/.cache/torch/hub/checkpoints/alexnet-owt-7be5be79.pth' \
 && echo '5c6cf3f2683da3ecbeb3050ccf9684af33bafe186ed10123b881db7f109706e8  /layer/workspace/.cache/torch/hub/checkpoints/alexnet-owt-7be5be79.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-resnet18-5c106cde.pth' '/layer/workspace/.cache/torch/hub/checkpoints/resnet18-5c106cde.pth' \
 && echo '21b53187922829504c35bb530364b06ce7c5a5b2f8897576dd0c2057c77323a1  /layer/workspace/.cache/torch/hub/checkpoints/resnet18-5c106cde.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-s3fd-619a316812.pth' '/layer/workspace/.cache/torch/hub/checkpoints/s3fd-619a316812.pth' \
 && echo '7eacb5e4fd83a9d35ff1da3224d485a3dab2bfae66f0fa6592b90b43a626cc97  /layer/workspace/.cache/torch/hub/checkpoints/s3fd-619a316812.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-2DFAN4-cd938726ad.zip' '/layer/workspace/.cache/torch/hub/checkpoints/2DFAN4-cd938726ad.zip' \
 && echo 'e8c2c36ccbf8120c803ba0402f7c43c99bb609850225712cfa9c52d80ed2e841  /layer/workspace/.cache/torch/hub/checkpoints/2DFAN4-cd938726ad.zip' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-79999_iter.pth' '/layer/workspace/data_utils/face_parsing/79999_iter.pth' \
 && echo '4ce64913befe46841f431fe3071cf135ca3100da76e7112c65cc9c3df5e219f7  /layer/workspace/data_utils/face_parsing/79999_iter.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-fpn-fp-512.pth' '/layer/workspace/data_utils/easyportrait/fpn-fp-512.pth' \
 && echo '794b2ea63c6237fa71b74e253a00c3250ef158bf20d0dcb72ff33f5fc8d94f44  /layer/workspace/data_utils/easyportrait/fpn-fp-512.pth' | sha256sum --check --quiet --strict \
 && install -D --mode=0644 '/mnt/weights/1-deepspeech-0_1_0-b90017e8.pb' '/layer/workspace/.tensorflow/models/deepspeech-0_1_0-b90017e8.pb' \
 && echo 'ecb15f8048231608ba0dd0447fe02562ade3cbd1e7d13082e7246831edce1140  /layer/workspace/.tensorflow/models/deepspeech-0_1_0-b90017e8.pb' | sha256sum --check --quiet --strict \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

# files of the stack itself: ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
FROM base AS files-layer
RUN --mount=from=files,target=/mnt/files \
    mkdir -p /layer/opt/talkinggaussian/talkinggaussian_start \
 && cp --recursive --no-target-directory /mnt/files/talkinggaussian_start /layer/opt/talkinggaussian/talkinggaussian_start \
 && chmod --recursive u=rwX,go=rX /layer \
 && find /layer -mindepth 1 -type d -printf '%P\n' | while read -r folder; do \
      test ! -d "/$folder" || { chown --reference="/$folder" "/layer/$folder"; chmod --reference="/$folder" "/layer/$folder"; }; \
    done \
 && find /layer -exec touch --no-dereference --date=@315532800 {} +

FROM system AS final
COPY --link --from=bytecode-layer /layer/ /
COPY --link --from=wheels-layer /layer/ /
COPY --link --from=sources-layer /layer/ /
COPY --link --from=weights-layer /layer/ /
COPY --link --from=files-layer /layer/ /
COPY --link --from=extensions-layer /layer/ /
ENV PATH=/opt/venv/bin:$PATH \
    VIRTUAL_ENV=/opt/venv
ENV USER=modelstacks
ENV HOME="/workspace"
ENV TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1"
ENV TORCH_HOME="/workspace/.cache/torch"
WORKDIR /workspace
ENTRYPOINT ["/opt/venv/bin/python", "-m", "talkinggaussian_start"]
LABEL org.opencontainers.image.title="talkinggaussian-modern" \
      org.opencontainers.image.description="TalkingGaussian for Hopper and Blackwell (CUDA 13.0, torch 2.11)" \
      org.opencontainers.image.version="2023.11.14" \
      org.opencontainers.image.revision="09f84a42c2de49570127902e9cb247ebc4df67c5059af71214ce47be2b1e6cf9" \
      org.opencontainers.image.base.name="modelstacks/base" \
      io.modelstacks.lock="sha256:09f84a42c2de49570127902e9cb247ebc4df67c5059af71214ce47be2b1e6cf9" \
      io.modelstacks.mounts='[{"licence": "Basel Face Model 2009; register at faces.dmi.unibas.ch, no redistribution", "path": "/workspace/data_utils/face_tracking/3DMM/01_MorphableModel.mat"}, {"licence": "made from the Basel Face Model 2009 by data_utils/face_tracking/convert_BFM.py", "path": "/workspace/data_utils/face_tracking/3DMM/3DMM_info.npy"}, {"licence": "of the Basel Face Model 2009", "path": "/workspace/data_utils/face_tracking/3DMM/exp_info.npy"}, {"licence": "of the Basel Face Model 2009", "path": "/workspace/data_utils/face_tracking/3DMM/keys_info.npy", "sha256": "028d3c383bae129c4bdcac880e22c551a5d2436ec7db7a26f5c57148d12469e6"}, {"licence": "of the Basel Face Model 2009", "path": "/workspace/data_utils/face_tracking/3DMM/sub_mesh.obj", "sha256": "1234e8e8d48617d4be869fde4d8d7485f27164351f085cc2c491e9badb48a47c"}, {"licence": "of the Basel Face Model 2009", "path": "/workspace/data_utils/face_tracking/3DMM/topology_info.npy", "sha256": "2edff6a6ad574d2dddf0d0815e0beabfea9369d7c2d6e53e0ba81f809b81e963"}]'
