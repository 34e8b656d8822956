"""modelstacks: reproducible GPU container images, one per model stack."""

__version__ = "0.1.0"
