"""render: a stack and its lock become build/NAME/Dockerfile and the named contexts it mounts."""

from builder.render.base import base_tag
from builder.render.compile import render_recipe
from builder.render.contexts import Rendered, render
from builder.render.dockerfile import render_dockerfile
from builder.render.key import build_key
from builder.render.recipe import Recipe, recipes

__all__ = ["Recipe", "Rendered", "base_tag", "build_key", "recipes", "render", "render_dockerfile", "render_recipe"]
