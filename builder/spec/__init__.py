"""Stack and family files, read into frozen typed values or into errors that name file:line."""

from __future__ import annotations

from builder.spec.load import load_family, load_service, load_stack, stack_folder, stack_names

__all__ = ["load_family", "load_service", "load_stack", "stack_folder", "stack_names"]
