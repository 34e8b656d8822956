"""`import tensorrt`, as NVIDIA's source package has it: its wheels hold tensorrt_bindings and tensorrt_libs alone."""

from tensorrt_bindings import *  # noqa: F403
from tensorrt_bindings import __version__ as __version__
