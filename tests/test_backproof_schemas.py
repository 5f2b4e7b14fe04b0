"""What is written is as its JSON Schema says, and what has a field more, one less or another value is not."""

import json

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from backproof import Gradient, Problem, ProblemError, check, gradient, strategies, sweep, verify
from backproof.doors.command_line import cli
from backproof.findings.challenged import Outcome
from backproof.findings.judged import judgement_data
from backproof.findings.report import LawCount, Report
from backproof.findings.schema import FOLDER, SCHEMAS, schema
from backproof.runs.comparison import Compared, comparison_data
from backproof.runs.tally import SORTS, VALUE_CLASS, Fared, Tally
from properties.laws.law import Status
from properties.verdict import Verdict
from reference.dtypes import DTYPES
from reference.problem import REDUCTIONS, WANTS
from reference.quantities import BY_LAYER, QUANTITIES, SINGLE
from tests.saved_runs import CHALLENGED

VALIDATORS = {name: Draft202012Validator(schema(name)) for name in SCHEMAS}
EVERYTHING = WANTS[2:]
each_schema = pytest.mark.parametrize("name", SCHEMAS)


def validate(name, data):
    VALIDATORS[name].validate(json.loads(json.dumps(data, allow_nan=False)))


def part_of(name, part):
    """What validates one of the definitions of a schema."""
    whole = schema(name)
    return Draft202012Validator({"$ref": f"{whole['$id']}#/$defs/{part}", "$defs": {"whole": whole}})


def doubled(problem):
    right = gradient(problem)
    return Gradient([2 * weight for weight in right.weights], right.biases)


def nothing_finite(problem):
    right = gradient(problem)
    return Gradient([np.array([np.nan, np.inf, -np.inf])[np.arange(w.size).reshape(w.shape) % 3] for w in right.weights], right.biases)


def wrong_with_one_sample(problem):
    if problem.batch == 1:
        raise ValueError("one sample")
    return doubled(problem)


def unstable(problem, calls=[]):  # noqa: B006
    calls.append(None)
    right = gradient(problem)
    return Gradient([weight + len(calls) for weight in right.weights], right.biases)


TARGETS = [gradient, doubled, nothing_finite, wrong_with_one_sample, unstable, lambda problem: None]
NAMES = ["right", "wrong", "nonfinite", "raises", "unstable", "malformed"]


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_a_report_its_findings_and_its_tally_are_as_their_schemas_say(target, seed_of_the_run):
    # what is wrong is diagnosed where some problems raise, too
    undiagnosed = target is doubled
    report = check(target, max_examples=10, seed=seed_of_the_run, shrink_seconds=0.2, depth=2, width=2, no_diagnosis=undiagnosed)
    validate("report", report.data())
    validate("tally", report.tally)
    validate("tally", Tally.from_data(report.tally).merged(Tally.from_data(report.tally)).to_data())
    assert (target is gradient) == (not report.findings)
    for finding in report.findings:
        validate("finding", finding.data())


@pytest.mark.wheel
def test_a_report_of_a_run_that_could_not_begin_is_too(tmp_path):
    report = tmp_path / "report.json"
    done = CliRunner().invoke(cli, ["check", "no_such_module:target", "--json", str(report)])
    assert done.exit_code == 2
    data = json.loads(report.read_text())
    assert data["seed"] is None
    assert data["tally"] is None
    validate("report", data)


@given(problem=strategies.problems(wants=EVERYTHING), dtype=st.sampled_from(list(DTYPES.values())))
def test_problems_and_gradients_are_as_their_schemas_say(problem, dtype):
    validate("problem", json.loads(problem.to_json()))
    with np.errstate(over="ignore"):
        answer = gradient(problem).mapped(lambda place, array: np.asarray(array).astype(dtype))
    validate("gradient", json.loads(answer.to_json()))


@settings(max_examples=40)  # ball arithmetic settles each
@given(problem=strategies.problems(depth=2, width=3, batch=2, wants=EVERYTHING), data=st.data())
def test_a_judgement_is_as_its_schema_says(problem, data):
    entry = data.draw(st.sampled_from([0.0, 1e300, np.nan, np.inf, -np.inf]))
    answer = gradient(problem).mapped(lambda place, array: np.full(np.shape(array), entry))
    part_of("finding", "judgement").validate(json.loads(json.dumps(judgement_data(verify(problem, answer)), allow_nan=False)))


@pytest.mark.parametrize("target", [gradient, nothing_finite])
def test_what_stands_in_an_npz_file_is_as_its_schema_says(target, tmp_path):
    problem = Problem(
        [[[1.0, 2.0]], [[3.0]]], biases=[[1.0], None], activations=["relu", ("elu", {"alpha": 2.0})], x=[[1.0, 2.0]], y=[[1.0]]
    )
    problem.save(tmp_path / "problem.npz")
    target(problem).save(tmp_path / "gradient.npz")
    for name in ("problem", "gradient"):
        with np.load(tmp_path / f"{name}.npz") as held:
            form = json.loads(str(held["form"]))
        part_of(name, "form").validate(form)
        with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
            part_of(name, "form").validate(form | {"more": 1})


def written():
    """One of each, with all that it may hold."""
    problem = Problem(
        [[[1.0, 2.0]]],
        biases=[[1.0]],
        activations=[("elu", {"alpha": 2.0})],
        x=[[1.0, 2.0]],
        y=[[1.0]],
        loss=("huber", {"delta": 2.0}),
        wants=EVERYTHING,
    )
    report = check(doubled, max_examples=3, seed=1, depth=2, width=2, shrink_seconds=0)
    assert report.findings[0].judgement.quantities
    return {
        "problem": json.loads(problem.to_json()),
        "gradient": json.loads(gradient(problem).to_json()),
        "finding": report.findings[0].data(),
        "report": report.data(),
        "tally": report.tally,
        "comparison": comparison_data([Compared("doubled", report.data()), Compared("gone", error="its check gave no report")], 1),
        "challenge": CHALLENGED.data(),
        "sweep": sweep(doubled, activation=("elu", {"alpha": 2.0}), precision="float32", seed=1, numbers=500).data(),
    }


@pytest.fixture(scope="module")
def examples():
    return json.loads(json.dumps(written(), allow_nan=False))


FREE = {"reasons", "judged_by", "doubts", "environment"}
"""Objects whose fields are names that nobody can list: of reasons, laws, precisions, and a function's parameters."""


def objects(data, path=()):
    """Every object of plain data whose fields are known, with the way to it."""
    if isinstance(data, dict):
        if (path and path[-1] not in {*FREE, "laws", "activation", "loss"}) or not path:
            yield path, data
        for name, value in data.items():
            yield from objects(value, (*path, name))
    elif isinstance(data, list):
        for i, value in enumerate(data[:2]):
            yield from objects(value, (*path, i))


@each_schema
def test_a_field_more_is_refused_wherever_it_stands(name, examples):
    data = examples[name]
    validate(name, data)
    ways = [path for path, _ in objects(data)]
    assert len(ways) >= 2
    for path in ways:
        spoilt = json.loads(json.dumps(data))
        place = spoilt
        for step in path:
            place = place[step]
        place["more"] = 1
        assert not VALIDATORS[name].is_valid(spoilt), f"{path} takes a field that nobody knows"


@each_schema
def test_a_field_less_is_refused_where_the_reader_needs_it(name, examples):
    for field in VALIDATORS[name].schema["required"]:
        assert not VALIDATORS[name].is_valid({key: value for key, value in examples[name].items() if key != field})


READERS = {"problem": Problem.from_data, "gradient": Gradient.from_data, "tally": Tally.from_data}


@pytest.mark.parametrize("name", READERS)
def test_what_the_schema_needs_is_what_the_reader_needs(name, examples):
    for field in examples[name]:
        less = {key: value for key, value in examples[name].items() if key != field}
        try:
            READERS[name](less)
            read = True
        except ProblemError:
            read = False
        # the reader of a tally needs no release
        assert VALIDATORS[name].is_valid(less) == read or (name, field) == ("tally", "backproof")


@each_schema
@pytest.mark.parametrize("change", [{"schema": "other"}, {"version": 99}, {"version": True}, {"schema": None}])
def test_another_schema_or_version_is_refused(name, change, examples):
    assert not VALIDATORS[name].is_valid(examples[name] | change)


def enumerated(name, *path):
    place = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    for step in path:
        place = place[step]
    return list(place)


def test_what_is_listed_is_what_the_tables_have():
    for name in ("problem", "finding", "tally"):
        assert enumerated(name, "$defs", "quantity", "enum") == list(QUANTITIES)
    for name in ("finding", "report"):
        assert enumerated(name, "$defs", "verdict", "enum") == [verdict.value for verdict in Verdict]
    assert enumerated("problem", "properties", "reduction", "enum") == list(REDUCTIONS)
    assert enumerated("gradient", "properties", "dtype", "enum") == list(DTYPES)
    assert enumerated("gradient", "properties", "layers", "items", "properties") == list(BY_LAYER)
    assert set(enumerated("gradient", "properties")) >= set(SINGLE)
    assert enumerated("tally", "properties", "by", "properties") == [*SORTS, VALUE_CLASS]
    assert set(enumerated("tally", "$defs", "sizes", "items", "properties")) == {"value", *Fared}
    laws = ("properties", "laws", "additionalProperties", "properties")
    assert enumerated("report", *laws, "status", "enum") == list(Status)
    assert set(enumerated("report", *laws)) == {*vars(LawCount()), "status"}
    assert enumerated("challenge", "properties") == list(CHALLENGED.data())
    assert enumerated("challenge", "$defs", "planting", "properties") == list(CHALLENGED.plantings[0].data())
    assert enumerated("challenge", "$defs", "planting", "properties", "outcome", "enum") == [outcome.value for outcome in Outcome]
    assert enumerated("report", "properties") == list(Report("t", (), {}, 0, 0, 0, 0, "float64").data())


@pytest.mark.wheel
@each_schema
def test_each_schema_is_one_stands_alone_and_describes_its_fields(name):
    Draft202012Validator.check_schema(schema(name))
    assert {file.stem for file in FOLDER.glob("*.json")} == set(SCHEMAS)
    own = schema(name)
    assert own["title"]
    assert own["description"]
    known = {own["$id"], *own["$defs"]}
    assert {ref for ref in references(own) if ref.startswith("urn:")} <= known


def references(data):
    if isinstance(data, dict):
        yield from ([data["$ref"]] if "$ref" in data else [])
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from references(value)


@pytest.mark.wheel
@each_schema
def test_the_command_prints_it(name):
    done = CliRunner().invoke(cli, ["schema", name])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == schema(name)
