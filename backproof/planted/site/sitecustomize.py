"""What Python imports at its start, where this folder is on PYTHONPATH: it plants a fault, and then does what it stands in the way of."""

import importlib.machinery
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ALIAS = "_backproof_planted"


def _start() -> None:
    """The folder above as a package of a name of its own, since another backproof, or none, may be installed here."""
    folder = os.path.dirname(HERE)
    spec = importlib.util.spec_from_file_location(ALIAS, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[ALIAS] = package
    spec.loader.exec_module(package)
    importlib.import_module(ALIAS + ".start").start(os.environ)


def _hand_on() -> None:
    """The sitecustomize that would have been imported without this one."""
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _start()
finally:
    _hand_on()
