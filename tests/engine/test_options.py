"""What is asked of the engine by name is never taken for an option."""

from __future__ import annotations

import pytest

from builder.engine.client import Engine
from builder.errors import JobError


@pytest.mark.parametrize("name", ["--help", "--all", "-f", "--format={{json .}}"])
def test_an_option_in_the_place_of_an_image_is_an_image_that_is_not_there(name: str) -> None:
    engine = Engine.connect()
    with pytest.raises(JobError, match="docker image inspect failed"):
        engine.image(name)
    with pytest.raises(JobError, match=r"docker image tag failed"):
        engine.tag(name, "modelstacks/never:there")
    with pytest.raises(JobError, match="docker could not remove the image"):
        engine.remove(name)


def test_an_image_that_is_not_there_is_none() -> None:
    assert Engine.connect().image("modelstacks/never:there") is None
