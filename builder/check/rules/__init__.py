"""One rule per module; builder.check lists those that are run."""
