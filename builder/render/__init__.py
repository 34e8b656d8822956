"""render: a stack and its lock become build/NAME/Dockerfile and the named contexts it mounts."""

from builder.render.contexts import Rendered, render
from builder.render.dockerfile import base_tag, build_key, dockerfile

__all__ = ["Rendered", "base_tag", "build_key", "dockerfile", "render"]
