"""A stand-in of ours for NVIDIA's wheel of TensorRT's libraries: three shared objects of its names and sonames."""

import subprocess
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py


class Compiled(build_py):
    def run(self):
        super().run()
        for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
            out = Path(self.build_lib, "tensorrt_libs", f"lib{name}.so.10")
            code = f'extern "C" int get{"Infer" if name == "nvinfer" else name}LibVersion() {{ return 101303; }}'
            words = ["g++", "-shared", "-fPIC", "-x", "c++", "-", f"-Wl,-soname,{out.name}", "-o", str(out)]
            subprocess.run(words, input=code, text=True, check=True)


class Binary(Distribution):
    def has_ext_modules(self):
        return True


setup(
    name="tensorrt_cu12_libs",
    version="10.13.3.9",
    packages=["tensorrt_libs"],
    distclass=Binary,
    cmdclass={"build_py": Compiled},
)
