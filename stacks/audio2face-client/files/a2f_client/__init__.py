"""Streams audio to an Audio2Face-3D service and gives back its blendshape weights, frame by frame."""
