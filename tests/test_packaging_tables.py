"""What a new activation, loss or law needs beside its own row: whatever was forgotten is named here, with the file that it belongs into."""

import inspect
from pathlib import Path

import pytest

from benchmarks.textbook import FORMULAS, SLOPES
from oracles.balls.functions import BALL_ACTIVATIONS, BALL_LOSSES
from oracles.jax_autodiff import JAX_ACTIVATIONS, JAX_LOSSES
from oracles.torch_autograd import TORCH_ACTIVATIONS, TORCH_LOSSES
from properties.faults.table import FAULTS
from properties.judging.peers import TEXTBOOK
from properties.laws.table import LAWS
from reference.functions.activation import Joint
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from rounding.activations import ROUNDED_ACTIVATIONS
from rounding.losses import ROUNDED_LOSSES
from tests import honest_passes, test_reference_activations, test_reference_losses

ROOT = Path(__file__).parents[1]
TOLERANCE = (ROOT / "docs" / "tolerance.md").read_text(encoding="utf-8")
ELEMENTWISE = [name for name, make in ACTIVATIONS.items() if not isinstance(make(), Joint)]
LOSE_DIGITS = [name for name, make in ROUNDED_ACTIVATIONS.items() if make().lossy]

ROWS = [
    ("ROUNDED_ACTIVATIONS of rounding/activations.py", ROUNDED_ACTIVATIONS, ACTIVATIONS),
    ("TORCH_ACTIVATIONS of oracles/torch_autograd.py", TORCH_ACTIVATIONS, ACTIVATIONS),
    ("JAX_ACTIVATIONS of oracles/jax_autodiff.py", JAX_ACTIVATIONS, ACTIVATIONS),
    ("BALL_ACTIVATIONS of oracles/balls/functions.py", BALL_ACTIVATIONS, ACTIVATIONS),
    ("TEXTBOOK of properties/judging/peers.py", TEXTBOOK, LOSE_DIGITS),
    ("FORMULAS of benchmarks/textbook.py", FORMULAS, ACTIVATIONS),
    ("DEFINITIONS of tests/test_reference_activations.py", test_reference_activations.DEFINITIONS, ELEMENTWISE),
    ("ACCURATE of tests/honest_passes.py", honest_passes.ACCURATE, ACTIVATIONS),
    ("ROUNDED_LOSSES of rounding/losses.py", ROUNDED_LOSSES, LOSSES),
    ("TORCH_LOSSES of oracles/torch_autograd.py", TORCH_LOSSES, LOSSES),
    ("JAX_LOSSES of oracles/jax_autodiff.py", JAX_LOSSES, LOSSES),
    ("BALL_LOSSES of oracles/balls/functions.py", BALL_LOSSES, LOSSES),
    ("SLOPES of benchmarks/textbook.py", SLOPES, LOSSES),
    ("DEFINITIONS of tests/test_reference_losses.py", test_reference_losses.DEFINITIONS, LOSSES),
]


@pytest.mark.parametrize(("where", "table", "names"), ROWS, ids=[where for where, *_ in ROWS])
def test_a_table_has_a_row_for_each(where, table, names):
    assert not set(names) - set(table), f"{where} lacks a row: CONTRIBUTING.md, How to add"
    assert not set(table) - set(names), f"{where} has a row of what is not known"


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LOSSES])
def test_tolerance_md_says_how_a_function_is_rounded(name):
    assert name in TOLERANCE.partition("## 4.")[2].partition("## 5.")[0], "docs/tolerance.md, section 4, says nothing of it"


@pytest.mark.parametrize("name", LAWS)
def test_a_law_says_what_it_cannot_see_and_needs(name):
    said = inspect.getdoc(LAWS[name].judge)
    assert "Cannot see:" in said, f"the docstring of {name} does not say what it cannot see"
    assert "Needs:" in said, f"the docstring of {name} does not say what it needs"


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_in_the_docs(name):
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page, "python -m benchmarks.fault_table writes docs/faults.md anew"
