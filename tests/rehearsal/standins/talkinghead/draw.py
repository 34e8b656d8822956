"""A talking head that no person owns, as TalkingGaussian's data_utils/process.py leaves it before tasks 5, 6 and 9.

Usage: draw.py DATA [FRAMES]. An ellipsoid with a drawn face turns before a still chest; its mouth opens with the sound
and its eyes blink, in grades that leave none of upstream's windows empty. Written are frames, landmarks, parsing, teeth
mask, track_params.pt, au.csv, aud.wav, aud_ds.npy, and another sound (other.wav, other.npy) to speak.
"""

from __future__ import annotations

import csv
import functools
import multiprocessing
import sys
import wave
from pathlib import Path

import cv2
import numpy as np
import torch

SIZE, FOCAL, AWAY = 512, 1200.0, 0.7  # pixels, pixels, and the camera's distance, as upstream's tracker has it
RADII = np.array([0.075, 0.1, 0.085])
FPS, RATE = 25, 16000
WHITE, TORSO, NECK, HEAD, HAIR, MOUTH = (
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 0),
    (255, 0, 0),
    (0, 0, 0),
    (100, 100, 100),
)  # parsing's colours, in BGR
AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)


def course(frames: int, seed: int) -> dict[str, np.ndarray]:
    """What the head does, frame by frame: open (0 to 1), closed (the eyes, 0 to 2), brow, and how it turns."""
    random = np.random.default_rng(seed)
    time = np.arange(frames) / FPS
    syllable = np.abs(np.sin(np.pi * (2.1 * time + 0.3 * np.sin(1.3 * time))))
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * time / 3.1 + seed)
    mouth = np.clip(syllable * swell, 0, 1)
    # one blink of 17 frames after each 40, by steps of 1/4
    blink = np.interp(np.arange(frames) % 40, [0, 8, 16, 17, 39], [0, 2, 0, 0, 0])
    slow = 2 * np.pi * time
    euler = np.stack([0.07 * np.sin(slow / 4.3), 0.16 * np.sin(slow / 5.9), 0.05 * np.sin(slow / 7.7)], 1)
    moved = np.stack([0.006 * np.sin(slow / 6.1), 0.004 * np.sin(slow / 4.9), -AWAY + 0.02 * np.sin(slow / 8.3)], 1)
    brow = 0.5 + 0.5 * np.sin(slow / 2.7)
    return {
        "open": mouth,
        "closed": blink + 0.02 * random.random(frames),
        "brow": brow,
        "euler": euler,
        "moved": moved,
    }


def turned(euler: np.ndarray) -> np.ndarray:
    """process.py's euler2rot, of one frame: what it joins by three are the columns of its matrices."""
    (a, b, c), one = euler, np.eye(3)
    x, y, z = one.copy(), one.copy(), one.copy()
    x[1:, 1:] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    y[[0, 0, 2, 2], [0, 2, 0, 2]] = [np.cos(b), np.sin(b), -np.sin(b), np.cos(b)]
    z[:2, :2] = [[np.cos(c), np.sin(c)], [-np.sin(c), np.cos(c)]]
    return x @ y @ z


def hit(rotation: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel whether its ray meets the head, and where, in the head's own frame (x right, y up, z forward)."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    rays = np.stack([(columns - SIZE / 2) / FOCAL, -(rows - SIZE / 2) / FOCAL, -np.ones_like(rows)], -1)
    start, rays = (-rotation.T @ moved) / RADII, (rays @ rotation) / RADII
    a, b, c = (rays**2).sum(-1), rays @ start, start @ start - 1
    root = b**2 - a * c
    far = (-b - np.sqrt(np.maximum(root, 0))) / a
    return root > 0, (start + far[..., None] * rays) * RADII


def seen(points: np.ndarray, rotation: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Pixels (x, y) of points on the head."""
    placed = points @ rotation.T + moved
    return np.stack(
        [SIZE / 2 - FOCAL * placed[:, 0] / placed[:, 2], SIZE / 2 + FOCAL * placed[:, 1] / placed[:, 2]], -1
    )


def front(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points on the face side of the head, by x and y."""
    left = np.clip(1 - (x / RADII[0]) ** 2 - (y / RADII[1]) ** 2, 0, 1)
    return np.stack([x, y, RADII[2] * np.sqrt(left)], -1)


def lips(opened: float) -> tuple[float, float, float]:
    """Middle of the mouth, and half the height of what is open and of the lips about it."""
    return -0.042 - 0.004 * opened, 0.0012 + 0.0125 * opened, 0.0075 + 0.0125 * opened


def landmarks(opened: float, closed: float, brow: float) -> np.ndarray:
    """The 68 points in their usual order."""
    middle, inner, outer = lips(opened)
    angle = np.linspace(np.pi * 1.02, np.pi * 1.98, 17)
    jaw = (0.062 * np.cos(angle), 0.005 + 0.082 * np.sin(angle))
    high = 0.036 + 0.006 * brow
    brows = (np.r_[np.linspace(-0.046, -0.014, 5), np.linspace(0.014, 0.046, 5)], np.full(10, high))
    nose = (np.r_[np.zeros(4), np.linspace(-0.012, 0.012, 5)], np.r_[np.linspace(0.02, -0.008, 4), np.full(5, -0.015)])
    lid = 0.0065 * (1 - 0.45 * closed)
    across, up = np.array([-0.011, -0.004, 0.004, 0.011, 0.004, -0.004]), np.array([0, 1, 1, 0, -1, -1])
    eyes = (np.r_[across - 0.029, across + 0.029], 0.02 + lid * np.r_[up, up])
    round_ = np.pi - 2 * np.pi * np.arange(12) / 12
    outside = (0.03 * np.cos(round_), middle + outer * np.sin(round_))
    round_ = np.pi - 2 * np.pi * np.arange(8) / 8
    inside = (0.022 * np.cos(round_), middle + inner * np.sin(round_))
    every = [jaw, brows, nose, eyes, outside, inside]
    return front(np.concatenate([one[0] for one in every]), np.concatenate([one[1] for one in every]))


def still() -> tuple[np.ndarray, np.ndarray]:
    """What does not move, in BGR: the wall with neck and chest before it, and its parsing."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    wall = np.stack([150 + rows / 8, 140 + columns / 8, 130 + (rows + columns) / 24], -1)
    parsing = np.full((SIZE, SIZE, 3), WHITE, np.uint8)
    chest = (rows > 415) & (abs(columns - 256) < 90 + (rows - 415) * 1.3)
    neck = (rows > 330) & (abs(columns - 256) < 46) & ~(chest & (rows > 440))
    wall[chest] = np.stack([90 + 20 * np.sin(columns / 9), 60 + rows / 12, 50 + 0 * rows], -1)[chest]
    wall[neck] = np.stack([105 + 0 * rows, 130 + 0 * rows, 190 - abs(columns - 256) / 2], -1)[neck]
    parsing[chest], parsing[neck] = TORSO, NECK
    return wall, parsing


def face(
    point: np.ndarray, opened: float, closed: float, brow: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colours of points of the head in BGR, and which are hair, open mouth and teeth."""
    x, y, z = point[..., 0], point[..., 1], point[..., 2]
    light = 0.72 + 0.28 * np.clip(z / RADII[2], 0, 1) + 0.05 * x / RADII[0]
    colour = light[..., None] * np.array([135.0, 165.0, 225.0])
    faces = z > 0

    def inside(ax: float, ay: float, rx: float, ry: float) -> np.ndarray:
        return faces & (((x - ax) / rx) ** 2 + ((y - ay) / ry) ** 2 < 1)

    for side in (-1, 1):
        colour[inside(side * 0.036, -0.012, 0.016, 0.011)] *= (0.86, 0.86, 1.0)  # cheeks
        ball = inside(side * 0.029, 0.02, 0.0125, 0.0075)
        colour[ball] = (235, 235, 235)
        colour[inside(side * 0.029, 0.02, 0.0055, 0.0055)] = (110, 70, 40)
        colour[inside(side * 0.029, 0.02, 0.0024, 0.0024)] = (20, 20, 20)
        lid = ball & (y > 0.0275 - 0.0075 * closed)
        colour[lid] = (light[..., None] * np.array([115.0, 140.0, 200.0]))[lid]
        high = 0.036 + 0.006 * brow
        colour[faces & (abs(x - side * 0.03) < 0.016) & (abs(y - high) < 0.0026)] = (30, 40, 60)
    colour[inside(0, 0, 0.005, 0.02)] *= 1.06
    colour[inside(0, -0.012, 0.012, 0.005)] *= 0.9
    middle, inner, outer = lips(opened)
    around = inside(0, middle, 0.03, outer)
    colour[around] = (light[..., None] * np.array([90.0, 80.0, 190.0]))[around]
    mouth = inside(0, middle, 0.022, inner)
    colour[mouth] = (35, 25, 75)
    teeth = mouth & (y > middle + 0.25 * inner) & (abs(x) < 0.017) & (inner > 0.004)
    colour[teeth] = (215, 225, 230)
    hair = (y > 0.052 + 0.18 * x**2 / RADII[0]) | (z < 0.0)
    colour[hair] = (30, 45, 60) + 12 * np.sin(900 * x[hair] + 300 * y[hair])[:, None]
    return colour, hair, mouth & ~teeth, teeth


def frame(state: dict[str, np.ndarray], number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Image and parsing in BGR, teeth mask and landmarks of a frame."""
    opened, closed, brow = (float(state[name][number]) for name in ("open", "closed", "brow"))
    rotation, moved = turned(state["euler"][number]), state["moved"][number]
    met, point = hit(rotation, moved)
    image, parsing = still()
    colour, hair, mouth, teeth = face(point, opened, closed, brow)
    image[met] = colour[met]
    # the hair is part of the head's outline; teeth are skin to a parser, and upstream takes them out by their mask
    parsing[met] = HEAD
    parsing[met & hair], parsing[met & mouth] = HAIR, MOUTH
    points = seen(landmarks(opened, closed, brow), rotation, moved)
    smooth = cv2.GaussianBlur(np.clip(image, 0, 255).astype(np.uint8), (3, 3), 0)
    return smooth, parsing, met & teeth, points


def write(data: Path, state: dict[str, np.ndarray], number: int) -> None:
    """Write a frame's files."""
    image, parsing, teeth, points = frame(state, number)
    cv2.imwrite(str(data / f"ori_imgs/{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    cv2.imwrite(str(data / f"parsing/{number}.png"), parsing)
    np.save(data / f"teeth_mask/{number}.npy", teeth)
    np.savetxt(data / f"ori_imgs/{number}.lms", points, "%f")


def sound(path: Path, mouth: np.ndarray) -> None:
    """A hum that is as loud as the mouth is open."""
    moments = np.arange(len(mouth) * RATE // FPS) / RATE
    loud = np.interp(moments, np.arange(len(mouth)) / FPS, mouth)
    hum = sum(np.sin(2 * np.pi * 130 * part * moments) / part for part in range(1, 6))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((hum * loud * 8000).astype("<i2").tobytes())


def features(path: Path, mouth: np.ndarray) -> None:
    """Features of the shape that DeepSpeech's have: 16 moments about a frame, 29 values each."""
    random = np.random.default_rng(7)
    halves = np.interp(np.arange(2 * len(mouth) + 16) / 2 - 4, np.arange(len(mouth)), mouth)
    known = np.stack([halves, halves**2, np.gradient(halves), np.ones_like(halves)], -1)
    values = known @ random.normal(size=(4, 29)) + 0.02 * random.normal(size=(len(halves), 29))
    np.save(path, np.stack([values[2 * one : 2 * one + 16] for one in range(len(mouth))]).astype(np.float32))


def action_units(path: Path, state: dict[str, np.ndarray]) -> None:
    """OpenFace's CSV, as far as it is read."""
    given = {25: 4 * state["open"], 26: 3 * state["open"], 45: state["closed"], 1: 2 * state["brow"]}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", " timestamp", " confidence", " success", *(f" AU{one:02d}_r" for one in AUS)])
        for number in range(len(state["open"])):
            values = [f"{float(given[one][number]) if one in given else 0.1:.3f}" for one in AUS]
            writer.writerow([number + 1, f"{number / FPS:.3f}", "0.98", 1, *values])


def main() -> None:
    """Draw it."""
    data, frames = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 330
    for name in ("ori_imgs", "gt_imgs", "torso_imgs", "parsing", "teeth_mask"):
        (data / name).mkdir(parents=True, exist_ok=True)
    state, other = course(frames, 0), course(150, 1)
    with multiprocessing.Pool() as pool:
        pool.map(functools.partial(write, data, state), range(frames))
    tensors = {"euler": state["euler"], "trans": 10 * state["moved"], "focal": np.array([FOCAL])}
    torch.save(
        {name: torch.tensor(one, dtype=torch.float32) for name, one in tensors.items()}, data / "track_params.pt"
    )
    action_units(data / "au.csv", state)
    sound(data / "aud.wav", state["open"])
    features(data / "aud_ds.npy", state["open"])
    sound(data / "other.wav", other["open"])
    features(data / "other.npy", other["open"])


if __name__ == "__main__":
    main()
