"""What stands for TalkingGaussian's sources and weights where a rehearsal of its stacks cannot reach them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.build.kit import beneath, tree
from tests.rehearsal import cuda
from tests.rehearsal.site import Mirrors

SOURCES = "MODELSTACKS_REHEARSAL_SOURCES"
_RASTERIZER = "diff_gaussian_rasterization"
_SUBMODULES = {
    "submodules/diff-gaussian-rasterization": "https://github.com/ashawkey/diff-gaussian-rasterization",
    "submodules/simple-knn": "https://gitlab.inria.fr/bkerbl/simple-knn",
}
# Those with a hash in the stack file or in their name, and DeepSpeech's, which its smoke test knows by sha1.
MOUNTED = ["alexnet-*", "resnet18-*", "s3fd-*", "2DFAN4-*", "79999_iter.pth", "deepspeech-*"]
SKIPPED = {
    "lpips.test_the_weights_are_the_ones_their_name_tells": "the stack leaves it to be mounted",
    "lpips.test_an_image_is_at_no_distance_to_itself_and_at_some_to_another": "the stack leaves it to be mounted",
    "tensorflow.test_the_deepspeech_graph_has_its_logits": "the stack leaves it to be mounted",
}
FPN = b"weights of a face parser, for a test"


def weights(site: Mirrors, stack: Mapping[str, Any]) -> None:
    """The one file that a mirror can stand for: nobody told its hash."""
    site.put(next(one["url"] for one in stack["weights"] if one.get("url", "").endswith("fpn-fp-512.pth")), FPN)


def repositories(site: Mirrors, stack: Mapping[str, Any], pytorch3d: Mapping[str, str]) -> dict[str, str]:
    """Every git source of the stack; returns the commit of its stand-in by the pinned one.

    pytorch3d: the files of its repository. Where MODELSTACKS_REHEARSAL_SOURCES names a folder, the files of its
    HOST/OWNER/NAME take the place of the stand-ins'.
    """
    main, inside = _files(stack), {}
    for path, address in _SUBMODULES.items():
        inside[path] = {name.removeprefix(f"{path}/"): main.pop(name) for name in [*main] if name.startswith(path)}
        inside[path] |= _real(address)
    commits = {path: site.repository(address, inside[path]) for path, address in _SUBMODULES.items()}
    found = {}
    for one in stack["sources"]:
        listed = [f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in _SUBMODULES.items()]
        site.repository(one["git"], main | _real(one["git"]) | {".gitmodules": "".join(listed)})
        folder = site.git / one["git"].removeprefix("https://")
        for path, commit in commits.items():
            words = ["git", "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"]
            subprocess.run(words, cwd=folder, check=True)
        found[one["commit"]] = site.amended(folder)
    for one in stack["extensions"]:
        if "git" in one:
            found[one["commit"]] = site.repository(one["git"], pytorch3d)
    return found


def _files(stack: Mapping[str, Any]) -> dict[str, str]:
    """The three CUDA packages, and of every file that the stack edits the text that it edits."""
    rasterizer = cuda.package(_RASTERIZER, f"{_RASTERIZER}._C", [_RASTERIZER])
    rasterizer |= {f"{_RASTERIZER}/__init__.py": "from . import _C\n"}
    grid = {
        "__init__.py": "",
        "grid.py": "from .backend import _backend\n",
        "backend.py": "import _gridencoder as _backend\n",
    }
    knn = cuda.package("simple_knn", "simple_knn._C") | {"simple_knn/.gitkeep": ""}
    files = beneath("gridencoder", cuda.package("gridencoder", "_gridencoder") | grid)
    for path, text in zip(_SUBMODULES, (rasterizer, knn), strict=True):
        files |= beneath(path, text)
    for one in stack["sources"]:
        for edit in one["edits"]:
            comment = "# " if edit["file"].endswith(".py") else ""
            files[edit["file"]] = files.get(edit["file"], "") + f"{comment}{edit['old']}\n" * edit.get("times", 1)
    return files


def _real(address: str) -> dict[str, str]:
    """The files of a repository that lies on this machine."""
    if not (root := os.environ.get(SOURCES)):
        return {}
    return tree(Path(root) / address.removeprefix("https://"))
