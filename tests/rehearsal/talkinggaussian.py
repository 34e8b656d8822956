"""What stands for TalkingGaussian's sources and weights where a rehearsal of its stacks cannot reach them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any

from tests.build.kit import beneath
from tests.rehearsal import cuda, sources
from tests.rehearsal.site import Mirrors

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
    """Every git source of the stack, the real one where this machine has it; returns the commit of what is served in
    the place of the pinned one, where that is another.

    pytorch3d: the files of its stand-in.
    """
    real = sources.serve([one for one in sources.declared(stack) if sources.there(one[0])], site.git)
    found = {one.commit: one.served for one in real if one.missing}
    here = {one.address for one in real}
    main, inside = _files(stack), {}
    for path in _SUBMODULES:
        inside[path] = {name.removeprefix(f"{path}/"): main.pop(name) for name in [*main] if name.startswith(path)}
    left = [one for one in stack["sources"] if one["git"] not in here]
    commits = {path: site.repository(address, inside[path]) for path, address in _SUBMODULES.items() if left}
    for one in left:
        listed = [f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in _SUBMODULES.items()]
        site.repository(one["git"], main | {".gitmodules": "".join(listed)})
        folder = site.git / one["git"].removeprefix("https://")
        for path, commit in commits.items():
            words = ["git", "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"]
            subprocess.run(words, cwd=folder, check=True)
        found[one["commit"]] = site.amended(folder)
    for one in stack["extensions"]:
        if "git" in one and one["git"] not in here:
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
