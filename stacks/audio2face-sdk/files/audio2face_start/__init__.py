"""Starts the programs of Audio2Face-3D-SDK: makes and checks TensorRT engines first. Standard library and TensorRT."""
