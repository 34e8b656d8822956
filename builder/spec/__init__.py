"""Stack and family files, read into frozen typed values or into errors that name file:line."""

from __future__ import annotations

from builder.spec.stacks import Loaded, Stacks, built, load, load_stack, stack_folder, stack_names

__all__ = ["Loaded", "Stacks", "built", "load", "load_stack", "stack_folder", "stack_names"]
