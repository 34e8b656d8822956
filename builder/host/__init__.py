"""This machine: its GPU and driver, engine, memory and disks, as values that rules and the doctor judge."""

from builder.host.machine import look
from builder.host.model import CdiSpec, Disk, EngineLack, Gpu, Host, Memory, Nvidia

__all__ = ["CdiSpec", "Disk", "EngineLack", "Gpu", "Host", "Memory", "Nvidia", "look"]
