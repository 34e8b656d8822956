"""Probes: scripts for the container's own Python (3.7 or newer), read from stdin; they write nothing there."""
