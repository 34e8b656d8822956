"""What runs inside a container or on this machine: bounded, asked for its words, by one way for every room.

A `Place` runs programs and Python scripts (`probe`), `container` finds a running one. What lies in `sent/` may be
imported by a script that is sent: it goes with it.
"""

from builder.inside import bounded, container, probe
from builder.inside.bounded import Said
from builder.inside.place import Place
from builder.inside.probe import ProbeError

__all__ = ["Place", "ProbeError", "Said", "bounded", "container", "probe"]
