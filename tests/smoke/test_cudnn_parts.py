"""One process may load libcudnn.so.9 of one release and its parts of another, each file once: that is found."""

from builder.smoke.checks._shared import folders_of

WHEEL, OTHER = "/opt/venv/lib/python3.13/site-packages/nvidia/cudnn/lib", "/other"


def test_parts_of_one_folder_are_one_release() -> None:
    found = {name: [f"{WHEEL}/{name}"] for name in ("libcudnn.so.9", "libcudnn_graph.so.9")}
    assert folders_of({**found, "libcublas.so.13": ["/elsewhere/libcublas.so.13"]}, "libcudnn") == [WHEEL]


def test_parts_of_two_folders_are_told() -> None:
    """As measured in torch-cu13 with LD_LIBRARY_PATH=/other, where cuDNN 9.28.1 lies: torch's RPATH brings
    libcudnn.so.9 of 9.26, and that opens its graph part by LD_LIBRARY_PATH, before its own RUNPATH."""
    found = {
        "libcudnn.so.9": [f"{WHEEL}/libcudnn.so.9"],
        "libcudnn_graph.so.9": [f"{OTHER}/libcudnn_graph.so.9"],
        "libcudnn_ops.so.9": [f"{WHEEL}/libcudnn_ops.so.9"],
    }
    assert folders_of(found, "libcudnn") == [WHEEL, OTHER]
