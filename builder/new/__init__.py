"""New: a stack.yaml from what a model has already, with a table of every decision. Nothing of it is executed."""
