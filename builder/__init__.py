"""modelstacks: reproducible GPU container images, one per model stack."""

import os

# No plugin of the environment changes what a stack file means, and looking for one takes 17 ms of each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

__version__ = "0.1.0"
