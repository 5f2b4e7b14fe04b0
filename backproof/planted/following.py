"""What is done to a module as soon as it has been executed, before whoever imports it sees it, whichever way it is loaded."""

import functools
import importlib.machinery
import os
import sys
import zipimport
from collections.abc import Callable
from types import ModuleType
from typing import Any

LOADERS = (
    importlib.machinery.SourceFileLoader,
    importlib.machinery.SourcelessFileLoader,
    importlib.machinery.ExtensionFileLoader,
    zipimport.zipimporter,
)
"""Those of Python, by which editable installs and most hooks load too; pytest's for tests is added when it is there."""

OF_PYTEST = "_pytest.assertion.rewrite"


def follow(executed: Callable[[ModuleType], None]) -> None:
    """Tells each module that is executed from now on, and those that are there."""
    for loader in LOADERS:
        _follow_loader(loader, executed)
    for module in list(sys.modules.values()):
        executed(module)


def _follow_loader(loader: Any, executed: Callable[[ModuleType], None]) -> None:
    load = loader.exec_module

    @functools.wraps(load)
    def exec_module(self: Any, module: ModuleType) -> None:
        load(self, module)
        if getattr(module, "__name__", "") == OF_PYTEST:
            _follow_loader(module.AssertionRewritingHook, executed)
        executed(module)

    loader.exec_module = exec_module


def is_module(module: Any, name: str) -> bool:
    """Whether it is the one that a target names, by its full name or by the path of its file."""
    if not name.endswith(".py"):
        return getattr(module, "__name__", None) == name
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.realpath(file) == os.path.realpath(name)
