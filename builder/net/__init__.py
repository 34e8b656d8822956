"""The network's one door: trust (tls), requests with retries (session), and where files are found (index)."""
