"""Random weights in the place of those that cannot be had, under the names that upstream looks for."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


class _Landmarks(nn.Module):
    """Heat maps of 68 points of a face, 64 by 64, as 2DFAN4's are; random ones."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 68, 9, stride=4, padding=4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.maps(image)


def measures(folder: Path) -> None:
    """AlexNet, s3fd and 2DFAN4, as metrics.py and the trainings load them."""
    import torchvision
    from face_alignment.detection.sfd.net_s3fd import s3fd

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(torchvision.models.alexnet(weights=None).state_dict(), folder / "alexnet-owt-7be5be79.pth")
    faces = s3fd().state_dict()
    for name, one in faces.items():
        if "_mbox_conf" in name:
            one.zero_()
            if name.endswith("bias"):
                # No face at any scale but the coarsest, and one there in the middle of each of its few places.
                one.copy_(torch.tensor([9.0, *[0.0] * (len(one) - 2), -9.0]))
        elif "_mbox_loc" in name:
            one.zero_()
    faces["conv7_2_mbox_conf.bias"].copy_(torch.tensor([0.0, 5.0]))
    torch.save(faces, folder / "s3fd-619a316812.pth")
    torch.jit.script(_Landmarks()).save(str(folder / "2DFAN4-cd938726ad.zip"))
