"""The table of oracles is complete, says what is missing, and costs nothing until it is used."""

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from oracles.available import ORACLES, missing, version
from oracles.balls.functions import BALL_ACTIVATIONS, BALL_LOSSES
from oracles.jax_autodiff import JAX_ACTIVATIONS, JAX_LOSSES
from oracles.torch_autograd import TORCH_ACTIVATIONS, TORCH_LOSSES
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import defaults

ROOT = Path(__file__).parent.parent
PLACE = missing.__module__.removesuffix("oracles.available")
"""Where the rooms stand: "" in a clone, "backproof." in an installed wheel."""


def modules_after(code):
    """What a fresh process holds after the code."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split())


def default_parameters(function):
    parameters = inspect.signature(function).parameters.values()
    return {row.name: row.default for row in parameters if row.default is not inspect.Parameter.empty}


@pytest.mark.parametrize(
    ("table", "of_reference"),
    [
        *((table, ACTIVATIONS) for table in (BALL_ACTIVATIONS, JAX_ACTIVATIONS, TORCH_ACTIVATIONS)),
        *((table, LOSSES) for table in (BALL_LOSSES, JAX_LOSSES, TORCH_LOSSES)),
    ],
    ids=["balls", "jax", "torch", "balls' losses", "jax's losses", "torch's losses"],
)
def test_every_table_has_the_rows_of_the_reference(table, of_reference):
    assert list(table) == list(of_reference)
    assert {name: default_parameters(row) for name, row in table.items()} == {name: defaults(row) for name, row in of_reference.items()}


@pytest.mark.parametrize("name", ORACLES)
def test_every_oracle_says_how_far_it_may_be_trusted(name):
    oracle = ORACLES[name]
    assert oracle.name == name
    assert oracle.trust.endswith(".")
    assert bool(oracle.module) == bool(oracle.install)
    assert oracle.answer.__doc__
    assert "\nTrust: " in sys.modules[oracle.answer.__module__].__doc__


def test_an_oracle_that_cannot_run_here_says_what_to_do():
    absent = replace(ORACLES["torch"], module="no_such_module")
    assert missing(absent) == "oracle torch needs the module no_such_module, which is not installed: pip install torch"
    assert version(absent) == ""
    assert missing(ORACLES["finite_differences"]) == ""


@pytest.mark.parametrize(("name", "module"), [("finite_differences", "numpy"), ("balls", "flint"), ("torch", "torch"), ("jax", "jax")])
def test_a_version_is_that_of_the_library(name, module):
    # which build it is of that, "+cpu" say, stands in one of both alone
    told, own = version(ORACLES[name]), pytest.importorskip(module).__version__
    assert told.partition("+")[0] == own.partition("+")[0] != ""


@pytest.mark.wheel
@pytest.mark.slow
def test_the_table_imports_no_library_and_asking_for_what_is_missing_neither():
    held = modules_after(f"from {PLACE}oracles.available import *\n[(missing(row), version(row)) for row in ORACLES.values()]")
    assert held.isdisjoint({"flint", "jax", "torch"})
    assert f"{PLACE}oracles.balls.enclosure" in held


@pytest.mark.wheel
@pytest.mark.slow
@pytest.mark.parametrize("module", ["balls", "finite_differences", "jax_autodiff", "torch_autograd"])
def test_no_oracle_sees_the_backward_pass_or_another_oracle(module):
    held = modules_after(f"import {PLACE}oracles.{module}")
    others = {"balls", "finite_differences", "jax_autodiff", "torch_autograd"} - {module}
    assert held.isdisjoint(
        {f"{PLACE}reference.{seen}" for seen in ("backward", "passes", "equations")}
        | {f"{PLACE}rounding"}
        | {f"{PLACE}oracles.{other}" for other in others}
    )
