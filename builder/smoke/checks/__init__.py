"""The smoke tests that stacks name, one file per component, judged outside the image."""
