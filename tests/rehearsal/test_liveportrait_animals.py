"""liveportrait-animals rehearsed: X-Pose's extension compiled for all its GPUs, the rest as of liveportrait.

Stand-ins are torch and the base (liveportrait.py); the weights are left to be mounted; and

- the source, where MODELSTACKS_REHEARSAL_SOURCES has none: in the folder of X-Pose's op a CUDA module of its name,
  whose setup.py has the line that the stack edits;
- the archives of CUDA 12.8's compiler: the one of CUDA 13.0 that the default index has, in NVIDIA's shape. It says of
  itself that it is 12.8's, as torch takes no other beside its own release, and links its own runtime into the op.

No mirror can forge a hash. So in the clone's stack file the sha256 of the two archives are those of the stand-ins, as
`git` is made to exchange commits; all else is as it is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builder.engine.client import Engine
from builder.files import sha256_of
from builder.settings import Settings
from tests.build.kit import beneath
from tests.rehearsal import cuda, liveportrait
from tests.rehearsal.clone import Clone, clone
from tests.rehearsal.judge import figures, judge
from tests.rehearsal.site import Mirrors
from tests.stacks.test_audio2face_sdk import in_one_folder

pytestmark = pytest.mark.heavy

NAME = "liveportrait-animals"
(EXTENSION,) = liveportrait.declared(NAME)["extensions"]
(EDIT,) = EXTENSION["edits"]
# What torch asks for the release; and -lcudart, which no wheel has under that name.
NVCC = b"""#!/bin/sh
case " $* " in
  *" --version "*) "$0-13.0" --version | sed "s/13\\.0/12.8/g" ;;
  *) exec "$0-13.0" "$@" ;;
esac
"""
CUDART = b"INPUT(-lcudart_static -lrt -ldl -lpthread)\n"
# Upstream's setup.py ends like this where there is no GPU.
GIVES_UP = """import os
CUDA_HOME = os.environ.get("CUDA_HOME")
{line}
    pass
else:
    raise NotImplementedError("no CUDA")
"""


def source() -> dict[str, str]:
    """A repository with the extension's package where the stack has it."""
    package = cuda.package(EXTENSION["name"], EXTENSION["name"])
    package["setup.py"] = GIVES_UP.format(line=EDIT["old"]) + package["setup.py"]
    return beneath(EDIT["file"].rpartition("/")[0], package) | {"inference_animals.py": ""}


def archives(site: Mirrors, folder: Path) -> dict[str, str]:
    """Serve stand-ins for the extension's downloads; gives the sha256 of each by the pinned one."""
    cuda.toolkit(Settings(home=folder / "home", stacks=()), folder / "cuda")
    paths = [path for path in (folder / "cuda").rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder / "cuda")): path.read_bytes() for path in paths}
    files |= {"bin/nvcc-13.0": files["bin/nvcc"], "bin/nvcc": NVCC, "lib/libcudart.so": CUDART}
    found = {}
    for one in EXTENSION["downloads"]:
        name = one["url"].rpartition("/")[2]
        held = files if name.startswith("cuda_nvcc") else {"LICENSE": b"a stand-in"}
        (folder / name).write_bytes(in_one_folder(name.removesuffix(".tar.xz"), held))
        site.put(one["url"], folder / name)
        found[one["sha256"]] = sha256_of(folder / name)
    return found


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrors]:
    with liveportrait.site(NAME, source(), tmp_path_factory.mktemp(NAME), engine) as found:
        yield found


def exchanged(here: Clone, hashes: Mapping[str, str]) -> Clone:
    """The clone with other hashes in its stack file."""
    path = f"{NAME}/stack.yaml"
    text = here.shipped[path].decode()
    for pinned, there in hashes.items():
        assert text.count(pinned) == 1
        text = text.replace(pinned, there)
    (here.stacks / path).write_text(text)
    return replace(here, shipped={**here.shipped, path: text.encode()})


def test_the_whole_chain_ends_green(site: Mirrors, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    hashes = archives(site, tmp_path_factory.mktemp("archives"))
    settings = site.settings(mount_weights=liveportrait.MOUNTED)
    with clone(tmp_path_factory.mktemp("clone"), NAME, settings, engine) as shipped:
        here = exchanged(shipped, hashes)
        made = here.made(path=site.path)
        figures(here, made)
        judge(made, {})
        assert [item.project for item in here.lock().built] == ["multiscaledeformableattention"]
        look = ["run", "--rm", "--network=none", "--entrypoint=sh", made["image"]["tag"], "-c"]
        words = "for one in nvcc g++ ninja; do command -v $one; done; find / -xdev -name 'nvcc*' -o -name cicc"
        assert not engine.run([*look, words]).stdout
