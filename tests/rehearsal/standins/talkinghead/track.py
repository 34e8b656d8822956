"""Upstream's face tracker, as its process.py calls it (task 8), on the drawn head, with a drawn morphable model.

Usage, in the image, on a GPU: track.py OUT [FRAMES [SHARE]]. The Basel Face Model cannot be had: its files are made
here, of the drawn head's ellipsoid, in the shapes that face_tracker.py reads (34650 points, 100 shapes, 79 expressions,
100 textures). So what it fits is known: OUT/track.json says how far poses, focal length and landmarks are from those
drawn, and OUT/track.png has frames beside what pytorch3d renders of the fit. FRAMES: 64, at least 32. SHARE: 1 is
upstream's own numbers of iterations, a smaller one is taken of those of 1000 and more.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import draw
import numpy as np
import torch

HERE = Path(__file__).resolve().parent
WORK = Path.cwd()  # upstream's files, where the image starts
MODEL = WORK / "data_utils" / "face_tracking" / "3DMM"
ROWS, COLUMNS = 165, 210  # 34650 points
UNIT = 1e6  # of the model's numbers in a metre: the tracker divides by 1e5, and its unit is a tenth of a metre


def grid() -> tuple[np.ndarray, np.ndarray]:
    """The points of the head's front, row by row, and the triangles between them, seen from outside."""
    up, across = np.mgrid[
        np.radians(80) : np.radians(-80) : ROWS * 1j, np.radians(-100) : np.radians(100) : COLUMNS * 1j
    ]
    points = np.stack([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)], -1) * draw.RADII
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return points.reshape(-1, 3), triangles


def around(triangles: np.ndarray, points: int) -> np.ndarray:
    """For each point its triangles, at most six; where it has fewer, its first again."""
    owners: list[list[int]] = [[] for _ in range(points)]
    for number, corners in enumerate(triangles):
        for one in corners:
            owners[one].append(number)
    return np.array([(own + own[:1] * 6)[:6] for own in owners])


def smooth(points: np.ndarray, count: int, metres: float, random: np.random.Generator) -> np.ndarray:
    """Random smooth movements of the points, one a row."""
    waves = random.normal(size=(count, 3, 3)) / 0.09
    found = np.sin(np.einsum("nd,kcd->knc", points, waves) + random.uniform(0, 6, (count, 1, 3)))
    return (found * metres).reshape(count, -1)


def expressions(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mouth, lids and brows as they are drawn, and random ones."""
    x, y, front = points[:, 0], points[:, 1], points[:, 2] > 0
    middle, _, outer = draw.lips(0.3)
    mouth = front * np.exp(-((x / 0.03) ** 2) - ((y - middle) / (1.2 * outer)) ** 2)
    moved = np.zeros((3, len(points), 3))
    moved[0, :, 1] = mouth * (-0.004 + 0.0125 * np.tanh((y - middle) / 0.003))
    eyes = front * (np.exp(-(((abs(x) - 0.029) / 0.012) ** 2) - ((y - 0.02) / 0.008) ** 2))
    moved[1, :, 1] = -0.003 * eyes * np.tanh((y - 0.02) / 0.002)
    moved[2, :, 1] = 0.006 * front * np.exp(-(((abs(x) - 0.03) / 0.016) ** 2) - ((y - 0.04) / 0.005) ** 2)
    return np.concatenate([moved.reshape(3, -1), smooth(points, 76, 0.0004, random)])


def model(folder: Path) -> None:
    """3DMM_info.npy, keys_info.npy and topology_info.npy."""
    random, (points, triangles) = np.random.default_rng(3), grid()
    colours = draw.face(points, 0.3, 0.0, 0.5)[0][:, ::-1]
    keys = draw.landmarks(0.3, 0.0, 0.5)
    near = np.array([np.argmin(((points - one) ** 2).sum(1)) for one in keys])
    kinds = {"shape": (points, smooth(points, 100, 0.0006, random)), "exp": (0 * points, expressions(points, random))}
    info = {}
    for name, (mean, moved) in kinds.items():
        info |= {f"mu_{name}": (mean * UNIT).reshape(-1), f"b_{name}": moved * UNIT, f"sig_{name}": np.ones(len(moved))}
    info |= {"mu_tex": colours.reshape(-1), "b_tex": smooth(points, 100, 3.0, random), "sig_tex": np.ones(100)}
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "3DMM_info.npy", {name: one.astype(np.float32) for name, one in info.items()})
    # the drawn jaw keeps its points; the tracker looks for the outermost of some about each
    sides = {"left_contour": near[:8, None] + np.arange(-1, 2), "right_contour": near[9:17, None] + np.arange(-1, 2)}
    rigid = np.flatnonzero((points[:, 2] > 0.03) & (points[:, 1] > 0))[::40]
    np.save(folder / "keys_info.npy", {"keyinds": near, "rigid_ids": rigid, **sides})
    np.save(folder / "topology_info.npy", {"tris": triangles, "vert_tris": around(triangles, len(points))})


def shorten(share: float) -> None:
    """Take a share of the tracker's long loops, in the container's own copy of its file."""
    path = WORK / "data_utils" / "face_tracking" / "face_tracker.py"
    less = re.sub(r"in range\((\d{4,})\)", lambda one: f"in range({round(int(one[1]) * share)})", path.read_text())
    path.write_text(less)


def compared(data: Path, truth: dict[str, torch.Tensor]) -> dict[str, object]:
    """How far the fit is from what was drawn. Angles may lie whole turns apart, so the rotations are compared."""
    found = torch.load(data / "track_params.pt")
    pairs = [
        (draw.turned(fit), draw.turned(drawn))
        for fit, drawn in zip(found["euler"].numpy(), truth["euler"].numpy(), strict=True)
    ]
    apart = [np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))) for a, b in pairs]
    aside, wanted = (np.array([pair[which][0, 2] for pair in pairs]) for which in (0, 1))
    return {
        "focal": [float(found["focal"][0]), float(truth["focal"][0])],
        "degrees apart": {"mean": round(float(np.mean(apart)), 2), "worst": round(float(np.max(apart)), 2)},
        "where it looks, sideways: correlation": round(float(np.corrcoef(aside, wanted)[0, 1]), 4),
    }


def pictures(data: Path, frames: int, path: Path) -> dict[str, object]:
    """Some frames beside the fit, by upstream's renderer with the mean colours; and how far its landmarks are."""
    sys.path.insert(0, str(WORK / "data_utils" / "face_tracking"))
    from facemodel import Face_3DMM
    from render_3dmm import Render_3DMM
    from util import forward_rott, forward_transform

    found = {name: one.cuda() for name, one in torch.load(data / "track_params.pt").items()}
    face = Face_3DMM(str(MODEL), 100, 79, 100, ROWS * COLUMNS)
    lands = torch.tensor(
        np.stack([np.loadtxt(data / f"ori_imgs/{one}.lms") for one in range(frames)]), dtype=torch.float32
    ).cuda()
    middle = torch.tensor([draw.SIZE / 2, draw.SIZE / 2]).cuda()
    shape = found["id"].expand(frames, -1)
    with torch.no_grad():
        three = face.get_3dlandmarks(shape, found["exp"], found["euler"], found["trans"], found["focal"], middle)
        flat = forward_transform(three, found["euler"], found["trans"], found["focal"], middle)[..., :2]
        off = (flat - lands).norm(dim=-1)
        some = torch.linspace(0, frames - 1, 4).long().cuda()
        renderer = Render_3DMM(float(found["focal"][0]), draw.SIZE, draw.SIZE, 4, torch.device("cuda:0"))
        solid = forward_rott(
            face.forward_geo(shape[some], found["exp"][some]), found["euler"][some], found["trans"][some]
        )
        light = torch.zeros(4, 27).cuda()
        light[:, ::9] = 0.33  # with upstream's 0.8 it gives the texture's own brightness
        seen = renderer(solid, face.forward_tex(torch.zeros(4, 100).cuda()), light)
    rows = []
    for number, one in zip(some.tolist(), seen.cpu().numpy(), strict=True):
        image = cv2.imread(str(data / f"ori_imgs/{number}.jpg"))
        over = np.where(one[..., 3:] > 0, one[..., 2::-1], image * 0.3).clip(0, 255).astype(np.uint8)
        rows.append(cv2.vconcat([image, over]))
    cv2.imwrite(str(path), cv2.hconcat(rows))
    covered = (seen[..., 3] > 0).float().mean()
    return {"landmarks, pixels off": round(float(off.mean()), 2), "share of pixels rendered": round(float(covered), 3)}


def main() -> int:
    out, data = Path(sys.argv[1]).resolve(), Path("/tmp/tracked")
    frames, share = int(sys.argv[2]) if len(sys.argv) > 2 else 64, float(sys.argv[3]) if len(sys.argv) > 3 else 1
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(HERE / "draw.py"), str(data), str(frames)], check=True)
    truth = torch.load(data / "track_params.pt")
    (data / "track_params.pt").unlink()
    model(MODEL)
    if share != 1:
        shorten(share)
    start = time.time()
    words = [sys.executable, "data_utils/process.py", str(data / "drawn.mp4"), "--task", "8"]
    with (out / "track.log").open("w") as log:
        subprocess.run(words, cwd=WORK, stdout=log, stderr=subprocess.STDOUT, check=True)
    said = (out / "track.log").read_text()
    sys.stdout.write(said[-2000:])
    if not (data / "track_params.pt").is_file():
        sys.stdout.write("error: the tracker left no track_params.pt\n")
        return 1
    found = {
        "gpu": torch.cuda.get_device_name(),
        "frames": frames,
        "share of upstream's iterations": share,
        "seconds": round(time.time() - start),
        **compared(data, truth),
        **pictures(data, frames, out / "track.png"),
    }
    (out / "track.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0 if found["degrees apart"]["mean"] < 5 and found["landmarks, pixels off"] < 4 else 1


if __name__ == "__main__":
    sys.exit(main())
