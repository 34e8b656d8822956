"""Two wheels that install one path with other bytes are refused before a build; the same bytes twice are no harm."""

import zipfile
from pathlib import Path

import pytest

from builder.build.same_paths import refuse
from builder.errors import InputError


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A wheel whose RECORD says these hashes of these paths."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    record = "".join(f"{file},sha256={digest},1\n" for file, digest in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/RECORD", record + f"{name}-1.0.dist-info/RECORD,,\n")
    return path


def test_one_path_with_other_bytes_is_refused_by_both_names(tmp_path: Path) -> None:
    """As nvidia-nccl-cu12 and -cu13 2.28.9 have it, in torch 2.11 beside tensorflow[and-cuda] 2.20."""
    library = "nvidia/nccl/lib/libnccl.so.2"
    both = [wheel(tmp_path, f"nvidia_nccl_cu1{n}", {library: f"a{n}", "nvidia/__init__.py": "same"}) for n in (2, 3)]
    with pytest.raises(InputError) as error:
        refuse(both)
    assert error.value.problem.startswith("nvidia_nccl_cu13-1.0-py3-none-any.whl and nvidia_nccl_cu12-1.0")
    assert error.value.why.startswith(library)
    assert "__init__" not in error.value.why


def test_the_same_bytes_and_metadata_of_their_own_are_no_harm(tmp_path: Path) -> None:
    refuse([wheel(tmp_path, name, {"shared/__init__.py": "same", f"{name}/a.py": name}) for name in ("one", "two")])


def test_what_cannot_be_read_is_left_to_the_installer(tmp_path: Path) -> None:
    (tmp_path / "bad-1.0-py3-none-any.whl").write_bytes(b"no zip")
    refuse([tmp_path / "bad-1.0-py3-none-any.whl", tmp_path / "gone-1.0-py3-none-any.whl"])
