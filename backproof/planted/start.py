"""The start of a process of a test: the fault and the target that the environment names, and where to tell what becomes of them."""

from collections.abc import Mapping
from types import ModuleType

from .following import follow, is_module
from .layout import words_of
from .plant import Plant
from .record import Record
from .wrapping import Unwrappable, wrap

TARGET, FAULT, RECORD = "BACKPROOF_PLANTED_TARGET", "BACKPROOF_PLANTED_FAULT", "BACKPROOF_PLANTED_RECORD"
"""Names in the environment: package.module:function or path/to/file.py:function; a fault of `plant.py`; a file."""

KEEPS, LAYOUT = "BACKPROOF_PLANTED_KEEPS", "BACKPROOF_PLANTED_LAYOUT"
"""The same, and not always there: attributes of a method's object, with blanks between; what `layout.py` reads."""


def start(environment: Mapping[str, str]) -> None:
    """Plants the fault in the target, as soon as its module is there; nothing where no fault is named."""
    if not all(name in environment for name in (TARGET, FAULT, RECORD)):
        return
    name, _, path = environment[TARGET].rpartition(":")
    record = Record(environment[RECORD])
    layout = words_of(environment[LAYOUT]) if LAYOUT in environment else None
    plant = Plant(environment[FAULT], record, environment.get(KEEPS, "").split(), layout)
    record.tell("started")

    def executed(module: ModuleType) -> None:
        if not is_module(module, name):
            if getattr(module, "__name__", "").endswith("." + name):
                record.tell_once("elsewhere", module.__name__)
            return
        if module.__name__ == "__main__":
            record.tell_once("elsewhere", "__main__")
        try:
            wrap(module, path, plant.answered, plant.asked)
        except Unwrappable as reason:
            record.tell_once("missing", str(reason))
        else:
            record.tell_once("planted", module.__name__)

    follow(executed)
