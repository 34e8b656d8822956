"""Starts LivePortrait in a container: memory first, then upstream's program with what it needs to run on this stack."""
