"""Each kind of input, in a few lines: what is in the file, and what was decided."""

from __future__ import annotations

from packaging.tags import Tag
from packaging.version import Version

from builder.new.offers import Offer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def wheel(*tags: str) -> Offer:
    return Offer(wheels=tuple((Version("1.0"), frozenset({Tag(*tag.split("-"))})) for tag in tags))


REQUIREMENTS = f"""--extra-index-url https://download.pytorch.org/whl/cu118
-f https://example.org/page.html
-r more.txt
-c bounds.txt
--no-binary :all:
torch==2.0.1+cu118
torchvision==0.15.2+cu118  # a comment
numpy \\
  ==1.23.5 --hash=sha256:{"0" * 64}
opencv-python
opencv-python-headless
sklearn
pkg_resources==0.0.0
pywin32; sys_platform == "win32"
uvloop; platform_system != "Windows"
git+https://github.com/openai/CLIP.git
whole @ git+https://github.com/o/whole.git@{COMMIT}
-e .
what is this
"""


def test_a_file_of_requirements(make) -> None:
    made = make(
        {"r.txt": REQUIREMENTS, "more.txt": "einops>=0.6\nnumpy<2\n", "bounds.txt": "einops<1\nscipy<2\n"}, "r.txt"
    )
    assert made.stack.packages == (
        "einops<1,>=0.6", "numpy<2,==1.23.5", "torch==2.0.1+cu118", "torchvision==0.15.2+cu118",
        "opencv-python-headless", "scikit-learn", "uvloop",
    )  # fmt: skip
    assert made.stack.without == ("opencv-python",)
    assert made.said["indexes"] == {
        "pytorch-cu118": {"url": "https://download.pytorch.org/whl/cu118", "packages": ["torch", "torchvision"]}
    }
    (source,) = made.stack.sources
    assert (source.git, source.commit) == ("https://github.com/o/whole.git", COMMIT)
    assert made.stack.paths == (source.into,)
    for what, kind, why in (
        ("example.org", "yours", "not known"),
        ("--no-binary", "left out", "a lock decides otherwise"),
        ("scipy<2", "yours", "not asked for by name"),
        ("sklearn", "changed", "deprecated"),
        ("pkg_resources", "left out", "Debian"),
        ("pywin32", "left out", "Windows"),
        ("CLIP.git", "yours", "full commit"),
        ("what is this", "yours", "PEP 508"),
    ):
        decision = made.decided(what)
        assert (decision.kind, why in decision.why, decision.where != "") == (kind, True, True), decision
    assert "# - {git: https://github.com/openai/CLIP.git, commit: …" in made.text
    assert made.decided("opencv-python").where == "r.txt:10"


def test_a_project_without_a_wheel_for_the_python_is_compiled(make) -> None:
    offers = {
        "new": wheel("py3-none-any"),
        "old": Offer(sdists=(Version("1.0"),)),
        "some": wheel("cp310-cp310-manylinux_2_17_x86_64"),
        "gone": Offer(there=False),
    }
    made = make({"r.txt": "new\nold==1.0\nsome==1.0\ngone\n"}, "r.txt", offers=offers)
    assert made.stack.family == "ubuntu22-py310", "the one Python that `some` has a wheel for"
    assert made.stack.from_source == ("old",)
    assert made.stack.toolchain
    assert made.decided("gone").kind == "yours"
    assert "next best" in made.decided("ubuntu22-py310").why


def test_the_torch_and_python_that_are_asked_for_choose_the_family(make) -> None:
    made = make({"r.txt": "torch==2.7.1+cu128\ntorchvision==0.22.1+cu128\nnumpy\n"}, "r.txt")
    assert (made.stack.family, made.decided("torch==2.7.1").into) == ("cu128", "family")
    assert "indexes" not in made.said, "its family has that index"
    made = make({"environment.yml": "dependencies: [python=3.8, numpy]"}, "environment.yml")
    assert made.stack.python == "3.8"


CONDA = """name: mine
channels: [pytorch, conda-forge]
dependencies:
  - python=3.10.8
  - pytorch::pytorch=1.12.1=py3.8_cuda11.3
  - cudatoolkit=11.3
  - numpy>=1.20
  - scipy=1.9
  - ffmpeg
  - mkl
  - pip
  - pip:
      - einops==0.6
variables: {MODE: fast, API_KEY: x}
"""


def test_an_environment_of_conda(make) -> None:
    made = make({"environment.yml": CONDA}, "environment.yml")
    assert made.stack.packages == ("torch==1.12.1", "numpy>=1.20", "scipy==1.9.*", "einops==0.6")
    assert made.stack.python == "3.10"
    assert made.stack.system[-1] == "ffmpeg"
    assert made.stack.env == {"MODE": "fast"}
    assert made.decided("pytorch::pytorch").where == "environment.yml:5"
    assert made.decided("API_KEY").why == "a secret by its name"
    assert made.said["indexes"]["pytorch-cu113"]["packages"] == ["torch"]
    assert make({"environment.yml": "{"}, "environment.yml").draft.decisions[-1].why.startswith("it is no YAML")


PROJECT = """[project]
requires-python = ">=3.10,<3.11"
dependencies = ["numpy<2", "einops"]
optional-dependencies = {dev = ["pytest"]}
[tool.poetry.dependencies]
python = "^3.10"
requests = "^2.31"
rich = {version = "~13.1"}
whole = {git = "https://github.com/o/whole", rev = "main"}
"""


def test_a_pyproject(make) -> None:
    made = make({"pyproject.toml": PROJECT}, "pyproject.toml")
    assert made.stack.packages == ("numpy<2", "einops", "requests<3,>=2.31", "rich~=13.1")
    assert made.stack.python == "3.10"
    assert made.decided("extras: dev").kind == "yours"
    assert made.decided("o/whole").kind == "yours"
    assert make({"pyproject.toml": "="}, "pyproject.toml").draft.decisions[-1].why == "it is no TOML"


REPOSITORY = {
    "requirements.txt": "numpy\nPillow\n",
    "requirements-dev.txt": "pytest\n",
    "ext/setup.py": "from x import CUDAExtension\nimport os\nos.system('touch RAN')\n"
    "setup(name='knn', ext_modules=[CUDAExtension(name='knn._C', sources=[]), CUDAExtension(NAME)])\n",
    "Dockerfile": "FROM nvidia/cuda:11.8.0-devel-ubuntu22.04\nENV MODE=fast\nENV PATH=/x\n"
    "RUN apt-get update && apt-get install -y --no-install-recommends \\\n    git ffmpeg libsndfile1-dev libgl1 \\\n"
    " && rm -rf /x\n",
    "README.md": "Run it:\n```bash\nconda create -n x python=3.10 -y\n"
    "pip install torch --extra-index-url https://download.pytorch.org/whl/cu118\n```\n"
    "Get https://example.org/net.pth first.\npip install not-a-command\n",
    ".gitmodules": '[submodule "sub"]\n\tpath = sub\n\turl = https://example.org/sub\n',
    "run.py": "import os, cv2, einops, own\nimport numpy.linalg\nfrom PIL import Image\nm.from_pretrained('o/model')\n",
    "own/__init__.py": "",
}


def test_a_repository(make) -> None:
    made = make(REPOSITORY, source=("https://example.org/o/name", COMMIT))
    assert made.stack.packages == ("numpy", "Pillow", "setuptools<82")
    assert made.stack.python == "3.10"
    assert made.stack.system[-2:] == ("ffmpeg", "libgl1")
    assert made.stack.env == {"MODE": "fast"}
    (extension,) = made.stack.extensions
    assert (extension.name, extension.path, extension.compiled) == ("knn", "/workspace/ext", ("knn._C",))
    assert made.stack.sources[0].into == made.stack.workdir == "/workspace"
    assert "# - opencv-python run.py:1: the code imports cv2, and nothing declares it" in made.text
    assert "# - einops run.py:1" in made.text
    assert "not-a-command" not in made.text
    assert "own" not in made.draft.notes["packages"][0]
    assert "# - {url: https://example.org/net.pth, into: /workspace} README.md:6: by an address" in made.text
    assert "# - o/model run.py:4: by huggingface_hub" in made.text
    assert made.decided("submodule sub").why.endswith("so what is in it was not looked at")
    assert made.decided("requirements-dev.txt").kind == "left out"
    assert made.decided("libsndfile1-dev").kind == "left out"
    assert made.decided("FROM nvidia/cuda").into == "family"


def test_a_readme_counts_where_nothing_lists_packages(make) -> None:
    made = make({"README.md": "```\npip install einops==0.6 'numpy<2' -r more.txt\n```\n"})
    assert made.stack.packages == ("einops==0.6", "numpy<2")
    made = make({"setup.py": "setup(name='x', install_requires=['scipy>=1', f'{x}'], python_requires='>=3.8')"})
    assert "scipy>=1" in made.stack.packages


def test_a_readme_beside_a_list_gives_what_the_code_imports_and_the_list_lacks(make) -> None:
    readme = """```
# pip install lightning==1.0
pip install torch==2.0.1 torchvision==0.15.2 torchaudio==2.0.2 --index-url https://download.pytorch.org/whl/cu118
pip install numpy==1.0 unused==3 && pip install https://github.com/o/n/archive/refs/heads/main.tar.gz
from model import it
```
"""
    code = "import torch, torchvision.ops\nimport numpy\nimport lightning\n"
    made = make({"requirements.txt": "numpy<2\n", "README.md": readme, "run.py": code})
    assert made.stack.packages == ("numpy<2", "torch==2.0.1", "torchvision==0.15.2", "torchaudio==2.0.2")
    assert list(made.said["indexes"]) == ["pytorch-cu118"]
    added = made.decided("torch==2.0.1, torchvision==0.15.2, torchaudio==2.0.2")
    assert (added.kind, added.where) == ("added", "README.md:3")
    assert [one for one in made.draft.decisions if "FROM" in one.what or "archive" in one.what] == []
    assert "# - lightning run.py:3" in made.text


def test_code_beside_the_model_declares_nothing(make) -> None:
    files = dict.fromkeys(("setup.py", "benchmark/run.py", "tests/a.py", "docs/conf.py"), "import einops\n")
    assert "einops" not in make({"requirements.txt": "numpy\n", **files}).text


def test_the_cuda_of_a_dockerfile_chooses_the_family_where_no_torch_does(make) -> None:
    for tag, cuda in (("12.3.2-cudnn9-runtime-ubuntu22.04", "12"), ("13.0.1-base-ubuntu24.04", "13")):
        made = make({"requirements.txt": "numpy\n", "docker/Dockerfile": f"FROM nvidia/cuda:{tag}\n"})
        assert cuda in made.said["family"]


def test_an_index_of_torchs_builds_is_left_out_where_the_default_one_has_the_same(make) -> None:
    for pin, tag, kept in (("2.3.1", "cu121", False), ("2.5.1", "cu121", False), ("2.5.1", "cu118", True),
                           ("2.3.1+cu121", "cu121", True)):  # fmt: skip
        page = f"https://download.pytorch.org/whl/{tag}"
        made = make({"r.txt": f"--extra-index-url {page}\ntorch=={pin}\n"}, "r.txt")
        assert ("indexes" in made.said) is kept, (pin, tag)
        if not kept:
            assert (made.decided(page).kind, made.decided(page).into) == ("changed", "packages")


def test_torch_that_the_code_imports_and_nothing_declares_decides_the_family(make) -> None:
    files = {"requirements.txt": "torchaudio\nonnxruntime-gpu\n", ".python-version": "3.10\n", "a.py": "import torch\n"}
    made = make(files)
    assert made.said["family"] == "cu128", "torch 2.7.1, and not the newest one beside an onnxruntime-gpu of CUDA 12"
    assert [one.where for one in made.draft.decisions if (one.kind, one.what) == ("added", "torch")] == ["a.py:1"]


def test_a_folder_deep_in_a_repository_is_not_the_project_of_its_name(make) -> None:
    deep = {
        "requirements.txt": "numpy\n",
        "a/b/torch/__init__.py": "",
        "run.py": "import torch\nimport deep\n",
        "a/deep.py": "",
    }
    assert [one.what for one in make(deep).draft.decisions if one.kind == "added" and one.into == "packages"] == [
        "torch"
    ]
    assert (
        "torch" not in make({"requirements.txt": "numpy\n", "torch/__init__.py": "", "run.py": "import torch\n"}).text
    )


def test_a_pinned_package_gets_the_bound_that_a_fact_asks_for(make) -> None:
    made = make({"r.txt": "tensorboard==2.12.0\n"}, "r.txt")
    assert made.stack.packages == ("tensorboard==2.12.0", "setuptools<82")
    assert "it imports pkg_resources" in made.decided("setuptools<82").why
    for text in ("tensorboard==2.21.0\n", "tensorboard\n", "tensorboard==2.12.0\nsetuptools==70.0.0\n"):
        assert "setuptools<82" not in make({"r.txt": text}, "r.txt").text
