"""The entry point: says what the mounted checkout lacks, else becomes the program that was asked for.

Upstream's modules fail late and unclearly where a file is missing, is a Git LFS pointer, or an empty download.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path("/code")
WANTED = (
    "face_attr_detect/face_attr_epoch_12_220318.onnx",
    "face_detect_utils/resources/model_float32.onnx",
    "face_detect_utils/resources/pfpld_robust_sim_bs1_8003.onnx",
    "face_detect_utils/resources/scrfd_500m_bnkps_shape640x640.onnx",
    "landmark2face_wy/checkpoints/anylang/dinet_v1_20240131.pth",
    "pretrain_models/face_lib/face_parsing/79999_iter.onnx",
    "pretrain_models/face_lib/face_restore/gfpgan/GFPGANv1.4.onnx",
    "wenet/examples/aishell/aidata/exp/conformer/wenetmodel.pt",
    "xseg/xseg_211104_4790000.onnx",
    "y_utils/liblcr.so",
)
POINTER = b"version https://git-lfs.github.com/spec/v1"
TAG = re.compile(r"\.cpython-(\d+)-")


def faults(root: Path, python: tuple[int, int]) -> list[str]:
    """What is wrong with a checkout, a line each, for a Python such as (3, 8); none for a whole one."""
    if not (root / "run.py").is_file():
        return [f"{root} is no checkout of HeyGem-Linux-Python-Hack; mount yours: --volume /path/to/checkout:{root}"]
    found = []
    for name in WANTED:
        why = fault(root / name)
        if why:
            found.append(f"{root / name} {why}; fetch it with the checkout's download.sh or from its release")
    modules = list(root.rglob("*.cpython-*.so"))
    own = f"{python[0]}{python[1]}"
    others = sorted({tag for path in modules for tag in TAG.findall(path.name)} - {own})
    if not modules:
        found.append(f"{root} has no compiled modules (*.cpython-{own}-*.so); take a whole checkout")
    elif others:
        found.append(f"{root} has modules for Python {', '.join(others)}, this is {own}; take another commit")
    return found


def fault(path: Path) -> str:
    """Why a data file is not one, "" where it is."""
    if not path.is_file():
        return "is missing"
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if not start:
        return "is empty"
    if start == POINTER:
        return "is a Git LFS pointer"
    return "is a web page" if start.lstrip()[:1] == b"<" else ""


def main(arguments: list[str]) -> None:
    """Become the program; ends with 2 where none is named or the checkout is not whole, 127 where it cannot start."""
    if not arguments:
        raise end(2, ["name the program: python run.py --audio_path A.wav --video_path V.mp4, or python app.py"])
    is_python = arguments[0].endswith(".py") or Path(arguments[0]).name.startswith("python")
    wrong = faults(ROOT, sys.version_info[:2]) if is_python else []  # a shell is let in to look
    if wrong:
        raise end(2, wrong)
    if arguments[0].endswith(".py"):
        arguments = [sys.executable, *arguments]
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606  (no shell is wanted)
    except OSError as error:
        raise end(127, [f"{arguments[0]} cannot be started: {error.strerror}"]) from None


def end(code: int, lines: list[str]) -> SystemExit:
    """Say why, and end with a code."""
    sys.stderr.write("".join(f"heygem: {line}\n" for line in lines))
    return SystemExit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
