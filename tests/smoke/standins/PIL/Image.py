"""Stands in for pillow's reader of what the stand-in of tensorboard gives."""

import pickle


def open(stream):  # noqa: A001
    return pickle.load(stream)
