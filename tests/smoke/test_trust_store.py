"""A client that trusts the system's store alone is locked: an image whose store is empty fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder import settings as site
from builder.lock import Artifact, StackLock, read
from builder.origin import Origin
from builder.spec.stacks import stack_folder


@pytest.fixture
def lock() -> StackLock:
    """The lock of onnx-cpu with huggingface_hub 2, which the image has not."""
    blank = Artifact(kind="wheel", filename="", size=0, sha256="", origin=Origin.parse("index:default"))
    locked = read(stack_folder("onnx-cpu", site.load()))
    hub = replace(blank, project="huggingface-hub", version="2.4.0")
    return replace(locked, wheels=(*locked.wheels, hub))


@pytest.mark.parametrize("empty", [False, True])
def test_an_empty_store_is_told_by_who_reads_it(empty: bool, judge, image, variant) -> None:
    report = judge(variant("RUN rm -rf /etc/ssl/certs/*") if empty else image, smoke=("python",))
    found = {one.test.removeprefix("test_"): one.reason for one in report.results if one.outcome == "failed"}
    found.pop("every_locked_package_is_installed_at_its_locked_version")
    assert bool(found) == empty, found
    if empty:
        said = found.pop("a_client_that_trusts_the_systems_store_alone_finds_roots_there")
        assert said == "no certificate in the system's store, for huggingface-hub 2.4.0"
        assert not found
