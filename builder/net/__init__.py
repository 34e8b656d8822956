"""The network's one door: trust (tls), requests with retries (session), and where files are found (index)."""


class Stopped(Exception):
    """The run was told to stop (Ctrl-C, or another part failed) while it waited, read or hashed."""
