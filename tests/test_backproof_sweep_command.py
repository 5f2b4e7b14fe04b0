"""The command sweep: what it prints, writes and exits with, and what it refuses."""

import json

import jsonschema
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from backproof.doors.command_line import cli
from backproof.findings.schema import schema
from backproof.runs.options import OPTIONS
from backproof.targets.own_activation import ARRAYS

pytestmark = pytest.mark.wheel

OWN = """
import numpy as np
def g(z): return np.maximum(z, 0)
def dg(z): return (z > 0).astype(z.dtype)
def late(z): return (z > 0.5).astype(z.dtype)
def short(z): return z[:1]
def broken(z): raise RuntimeError("out of memory")
both = (g, dg)
class Both:
    def value(self, z): return g(z)
    def derivative(self, z): return dg(z)
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)


def invoked(*arguments):
    return CliRunner().invoke(cli, ["sweep", *arguments])


@pytest.mark.parametrize("target", ["own.py:g,own.py:dg", "own.py:both", "own.py:Both"])
def test_the_command_sweeps_a_pair_and_what_it_writes_is_as_its_schema_says(own, target):
    arrays = [] if "," in target else ["--arrays", "numpy"]
    done = invoked(target, "--activation", "relu", "--precision", "bfloat16", *arrays, "--json", "sweep.json")
    assert done.exit_code == 0, done.output
    assert "every one of the 65,279 finite numbers of bfloat16" in done.output
    with open("sweep.json") as file:
        data = json.load(file)
    Draft202012Validator(schema("sweep")).validate(data)
    assert data["target"] == target and data["every"] and data["seed"] is None
    shown = CliRunner().invoke(cli, ["show", "sweep.json"])
    assert shown.output == done.output
    with pytest.raises(jsonschema.ValidationError):
        Draft202012Validator(schema("sweep")).validate(data | {"more": 1})


def test_the_command_says_where_it_is_wrong_and_exits_with_1(own):
    done = invoked("own.py:g,own.py:late", "--activation", "relu", "--precision", "float16", "--json", "sweep.json")
    assert done.exit_code == 1
    (row,) = [line for line in done.output.splitlines() if "flushed to zero" in line]
    assert row.split("  ")[0] == "g'" and " 0.5 " in row and row.split()[-1] != "0"
    with open("sweep.json") as file:
        Draft202012Validator(schema("sweep")).validate(json.load(file))


REFUSED = [
    (["own.py:g,own.py:dg"], "say what g is"),
    (["own.py:g,own.py:dg", "--activation", "relu", "--formula", "max(z, 0)"], "by one of them"),
    (["own.py:g,own.py:dg", "--activation", "softmax"], "no function of one z"),
    (["own.py:g,own.py:dg", "--activation", "mish"], "is not known"),
    (["own.py:g,own.py:dg", "--formula", "open(z)"], "none of its language"),
    (["own.py:g,own.py:dg", "--activation", "elu:beta=2"], "no parameter 'beta'"),
    (["own.py:g,own.py:dg", "--activation", "relu", "--precision", "tf32"], "say float32"),
    (["own.py:g,own.py:nothing", "--activation", "relu"], "no 'nothing'"),
    (["own.py:g,own.py:dg,own.py:g", "--activation", "relu"], "expected a pair"),
    (["own.py:g", "--arrays", "numpy", "--activation", "relu"], "NumPy differentiates nothing"),
    (["own.py:number", "--arrays", "torch", "--activation", "relu"], "is a int"),
    (["own.py:g,own.py:short", "--activation", "relu"], "one number for each z"),
    (["own.py:g,own.py:broken", "--activation", "relu"], "out of memory"),
    (["own.py:g,own.py:dg", "--activation", "relu", "--json", "no/such/folder.json"], "no such folder"),
    (["nowhere.py:gradient", "--activation", "relu"], "no file"),
    (["backproof:gradient"], "say which activation"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_bad_input_is_refused_with_what_to_do(own, arguments, message):
    done = invoked(*arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_a_sweep_that_could_not_begin_is_written_too(own):
    assert invoked("own.py:g,own.py:broken", "--activation", "relu", "--json", "sweep.json").exit_code == 2
    with open("sweep.json") as file:
        data = json.load(file)
    Draft202012Validator(schema("sweep")).validate(data)
    assert "out of memory" in data["error"]


def test_the_options_offer_the_libraries_that_there_are():
    assert tuple(OPTIONS["arrays"].choices()) == ARRAYS


@pytest.mark.slow
def test_a_target_that_is_named_is_asked_in_its_own_process():
    done = invoked("backproof:gradient", "--activation", "elu:alpha=-2", "--precision", "float32", "--numbers", "400", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert "elu (alpha=-2.0)" in done.output and "an upstream gradient of 1; seed 1;" in done.output


KEEPS = """
import numpy as np
kept = {}
def g(z):
    print("asked")
    kept["above"] = z > 0
    return np.maximum(z, 0)
def dg(z):
    return kept["above"].astype(z.dtype)
"""


def test_a_pair_of_one_file_is_of_one_module_and_what_it_prints_is_no_part_of_the_result(tmp_path, monkeypatch):
    (tmp_path / "keeps.py").write_text(KEEPS)
    monkeypatch.chdir(tmp_path)
    done = invoked("keeps.py:g,keeps.py:dg", "--activation", "relu", "--precision", "bfloat16", "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["verdict"] == "right"
    assert "asked" in done.stderr


def test_a_result_that_cannot_be_written_is_refused_before_the_sweep(own):
    done = invoked("own.py:g,own.py:broken", "--activation", "relu", "--json", ".")
    assert done.exit_code == 2
    assert "it is a folder" in done.output and "out of memory" not in done.output
