"""export and import: stacks and all they need as one verified bundle that crosses an air gap."""

from builder.bundle.pack import Exported, export
from builder.bundle.parts import part_size
from builder.bundle.place import Imported, import_
from builder.bundle.signature import require_signed, sign, signature_place, signing_key

__all__ = [
    "Exported",
    "Imported",
    "export",
    "import_",
    "part_size",
    "require_signed",
    "sign",
    "signature_place",
    "signing_key",
]
