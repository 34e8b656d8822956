"""Exactly one cv2, and it resizes and codes images."""

from __future__ import annotations

from packaging.utils import canonicalize_name

from builder.smoke.brief import Expected, Probes

DISTRIBUTIONS = {
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
}


def test_exactly_one_distribution_gives_cv2(probe: Probes) -> None:
    names = [str(canonicalize_name(name)) for name, _ in probe("python")["packages"]]
    given = [name for name in names if name in DISTRIBUTIONS]
    assert len(given) == 1, f"cv2 is given by {' and '.join(given) or 'nothing'}; they overwrite each other's files"


def test_cv2_has_its_locked_version(stack: Expected, probe: Probes) -> None:
    version = probe("opencv")["version"]
    locked = [stack.pins[name] for name in DISTRIBUTIONS if name in stack.pins]
    assert any(f"{pin}.".startswith(f"{version}.") for pin in locked), f"cv2 is {version}, locked: {locked}"


def test_cv2_resizes_100_to_50(probe: Probes) -> None:
    figures = probe("opencv")
    assert figures["resized_shape"] == [50, 50, 3]
    assert figures["resized_dtype"] == "uint8"


def test_cv2_writes_and_reads_jpeg(probe: Probes) -> None:
    figures = probe("opencv")
    assert figures["jpeg_written"]
    assert figures["jpeg_header"] == "ffd8"
    assert figures["jpeg_shape"] == [64, 64, 3]
    assert figures["jpeg_difference"] <= 8, "a smooth ramp at quality 95 came back changed"
