"""Starts HeyGem in a container whose /code is the user's own checkout. Standard library alone, Python 3.8."""
