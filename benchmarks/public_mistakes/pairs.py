"""All pairs, in the order of their themes; those of PyTorch and JAX where these are installed."""

import importlib
import importlib.util

from benchmarks.public_mistakes.pair import PAIRS

THEMES = ("students", "activations", "losses", "batches", "conduct", "edges", "torch_functions", "jax_functions")

for _theme in THEMES:
    _framework = _theme.partition("_")[0]
    if "_" not in _theme or importlib.util.find_spec(_framework):
        importlib.import_module(f"benchmarks.public_mistakes.{_theme}")

__all__ = ["PAIRS", "THEMES"]
