"""Take one step of an optimizer, in a container as a user that is not in its passwd where this one is root.

Every optimizer's constructor imports torch._dynamo, which from 2.10.0 to 2.12.1 asks at import for the user's name.
"""

from __future__ import annotations

import json
import os

STRANGER = 4242
if os.getuid() == 0 and os.path.exists("/.dockerenv"):  # noqa: PTH110 (a machine's own root may import from its home)
    os.setgid(STRANGER)
    os.setuid(STRANGER)

import numpy as np  # noqa: E402 - all of it as that user
import torch  # noqa: E402

weight = torch.from_numpy(np.ones(1, np.float32)).requires_grad_()
weight.grad = torch.from_numpy(np.full(1, 2, np.float32))
optimizer = torch.optim.SGD([weight], lr=0.25)
optimizer.step()
print(json.dumps({"user": os.getuid(), "weight": weight.detach().tolist()}))
