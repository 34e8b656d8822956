"""Upstream's teeth mask, by its own program and its copy of mmsegmentation on mmcv, on the drawn head.

Usage, in the image, on a GPU: teeth.py OUT [STEPS [FRAMES]]. EasyPortrait's weights cannot be had: the network that its
configuration names is made with random ones, taught the drawn teeth for STEPS steps (150; 0 leaves it random), and
saved as the file that create_teeth_mask.py loads. OUT/teeth.json says how much of its masks is drawn teeth.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch

HERE = Path(__file__).resolve().parent
WORK = Path.cwd()  # upstream's files, where the image starts
EASY = WORK / "data_utils" / "easyportrait"
CONFIG = EASY / "local_configs/easyportrait_experiments_v2/fpn-fp/fpn-fp.py"
TEETH = 7  # the class that create_teeth_mask.py keeps
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def taught(data: Path, frames: int, steps: int) -> None:
    """Make the weights that upstream downloads."""
    sys.path.insert(0, str(EASY))
    import mmcv
    from mmcv.cnn.utils import revert_sync_batchnorm
    from mmseg.models import build_segmentor

    torch.manual_seed(0)
    config = mmcv.Config.fromfile(str(CONFIG))
    config.model.pretrained = None
    network = build_segmentor(config.model)
    if steps:
        network = revert_sync_batchnorm(network).to(DEVICE).train()
        learn(network, config.img_norm_cfg, data, frames, steps)
    meta = {"CLASSES": list(config.data.train.classes), "PALETTE": [[0, 0, 0]] * 8}
    torch.save({"state_dict": network.cpu().state_dict(), "meta": meta}, EASY / "fpn-fp-512.pth")


def learn(network: torch.nn.Module, norm: dict[str, object], data: Path, frames: int, steps: int) -> None:
    """Teach it the drawn teeth; every third frame is kept from it."""
    mean, std = (torch.tensor(norm[name], device=DEVICE).view(1, 3, 1, 1) for name in ("mean", "std"))
    optimizer, random = torch.optim.Adam(network.parameters(), 1e-3), np.random.default_rng(0)
    for step in range(steps):
        chosen = 3 * random.integers(0, frames // 3, 4) + random.integers(0, 2, 4)
        images = np.stack([cv2.imread(str(data / f"ori_imgs/{one}.jpg"))[..., ::-1] for one in chosen])
        masks = np.stack([np.load(data / f"teeth_mask/{one}.npy") for one in chosen])
        seen = (torch.tensor(images, dtype=torch.float32, device=DEVICE).permute(0, 3, 1, 2) - mean) / std
        wanted = torch.tensor(masks, device=DEVICE).long() * TEETH
        logits = network.encode_decode(seen, [{}] * len(chosen))
        weight = torch.ones(8, device=DEVICE)
        weight[TEETH] = 5
        loss = torch.nn.functional.cross_entropy(logits, wanted, weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            sys.stdout.write(f"step {step}: loss {loss.item():.4f}\n")


def main() -> int:
    out, data = Path(sys.argv[1]).resolve(), Path("/tmp/teeth")
    steps, frames = int(sys.argv[2]) if len(sys.argv) > 2 else 150, int(sys.argv[3]) if len(sys.argv) > 3 else 60
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(HERE / "draw.py"), str(data), str(frames)], check=True)
    start = time.time()
    taught(data, frames, steps)
    learned = time.time() - start
    drawn = [np.load(data / f"teeth_mask/{one}.npy") for one in range(frames)]
    for one in range(frames):
        (data / f"teeth_mask/{one}.npy").unlink()
    words = [sys.executable, str(EASY / "create_teeth_mask.py"), str(data)]
    subprocess.run(words, cwd=WORK, check=True)
    masks = [np.load(data / f"teeth_mask/{one}.npy") for one in range(frames)]
    both = [(a & b).sum() for a, b in zip(masks, drawn, strict=True)]
    either = [(a | b).sum() for a, b in zip(masks, drawn, strict=True)]
    found = {
        "gpu": torch.cuda.get_device_name() if DEVICE == "cuda" else "none",
        "frames": frames,
        "steps": steps,
        "seconds": {"teach": round(learned), "create_teeth_mask.py": round(time.time() - start - learned)},
        "dtype": sorted({str(one.dtype) for one in masks}),
        "shape": sorted({one.shape for one in masks}),
        "overlap with the drawn teeth (intersection over union), of frames that it was not taught": round(
            float(sum(both[2::3]) / max(1, sum(either[2::3]))), 3
        ),
    }
    (out / "teeth.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(f"{json.dumps(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
