"""docs/families.md is what the families' files say."""

from tools import families


def test_the_page_of_families_is_current() -> None:
    assert families.PAGE.read_text() == families.page(), "run python -m tools.families"


def test_the_registry_of_an_image() -> None:
    assert families.registry_of("ubuntu:22.04") == "docker.io"
    assert families.registry_of("nvidia/cuda:12.9.1-base-ubuntu24.04") == "docker.io"
    assert families.registry_of("nvcr.io/nvidia/cuda:12.9.1") == "nvcr.io"
