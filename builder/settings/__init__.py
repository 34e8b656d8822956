"""Where things are and what the site gives: folders, indexes, mirrors, trust. Read from files, environment and command
line by `load`; nothing is read at import."""

from builder.settings.levels import load
from builder.settings.model import ClientCertificate, GitSsh, Settings

__all__ = ["ClientCertificate", "GitSsh", "Settings", "load"]
