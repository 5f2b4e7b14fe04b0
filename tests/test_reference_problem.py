"""Problems and gradients: what is refused and in which words, copies, and one JSON form that is exact to the bit."""

import itertools
import json
import math
import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from reference.backward import gradient
from reference.dtypes import DTYPES
from reference.errors import ProblemError
from reference.forms.json_form import READ_IN_WORDS, dump, gradient_data, narrowest_dtype, parse, problem_data
from reference.functions.losses import LOSSES
from reference.gradient import Gradient, Place
from reference.problem import WANTS, Problem

W = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
GOOD = {"weights": [W], "activations": ["tanh"], "x": [[1.0, 2.0]], "y": [[0.0, 1.0, 0.0]]}


def posed(**changes):
    parts = GOOD | changes
    return Problem(parts.pop("weights"), **parts)


# ---- refusals: (what is changed, what the message must say) ----

REFUSED = {
    "no layers": ({"weights": []}, ["weights is empty", "at least one layer"]),
    "weights that are no list": ({"weights": 3.0}, ["weights", "3.0"]),
    "a flat weight": ({"weights": [[1.0, 2.0]]}, ["layer 1: weight has shape (2,)", "(outputs, inputs)"]),
    "a weight without inputs": ({"weights": [np.zeros((3, 0))]}, ["layer 1: weight has shape (3, 0)", "at least 1"]),
    "a ragged weight": ({"weights": [[[1.0], [1.0, 2.0]]]}, ["layer 1: weight", "real numbers", "(outputs, inputs)"]),
    "a weight of text": ({"weights": [[["1", "2"]]]}, ["layer 1: weight is not an array of real numbers"]),
    "a weight of objects": ({"weights": [[[None, 1.0]]]}, ["layer 1: weight is not an array of real numbers"]),
    "a complex weight": ({"weights": [np.ones((3, 2)) * 1j]}, ["layer 1: weight is not an array of real numbers"]),
    "a weight of dates": ({"weights": [np.zeros((3, 2), "M8[s]")]}, ["layer 1: weight is not an array of real numbers"]),
    "a NaN": ({"weights": [[[1.0, 2.0], [3.0, math.nan], [5.0, 6.0]]]}, ["layer 1: weight[1, 1] is nan", "expected finite numbers"]),
    "an infinite input": ({"x": [[1.0, -math.inf]]}, ["x[0, 1] is -inf", "expected finite numbers"]),
    "a number beyond float64": ({"x": [[np.longdouble("1e400"), 0]]}, ["x[0, 0] is inf", "expected finite numbers"]),
    "a whole number that float64 does not hold": (
        {"x": [[2**53 + 1, 0]]},
        ["x has whole numbers beyond 2**53, which float64 may not hold", "expected floating-point numbers"],
    ),
    "a flat x": ({"x": [1.0, 2.0]}, ["x has shape (2,)", "(batch, width)"]),
    "no inputs": ({"x": np.zeros((1, 0))}, ["x has shape (1, 0)", "at least 1"]),
    "a mean over no samples": ({"x": [], "y": [], "reduction": "mean"}, ["x has no samples", "no mean", "expected a sum alone"]),
    "a penalty without samples": ({"x": [], "y": [], "penalty": ("l2", 0.5)}, ["x has no samples", "no penalty"]),
    "no samples, and some y": ({"x": []}, ["y has shape (1, 3)", "x has 0 samples", "expected (0, 3)"]),
    "x of another width": ({"x": [[1.0, 2.0, 3.0]]}, ["layer 1: weight has shape (3, 2)", "x gives 3 outputs", "expected (3, 3)"]),
    "layers that do not fit": (
        {"weights": [W, np.ones((2, 2))], "activations": ["tanh"] * 2, "y": [[0.0, 1.0]]},
        ["layer 2: weight has shape (2, 2)", "layer 1 gives 3 outputs", "expected (2, 3)"],
    ),
    "y of another width": ({"y": [[0.0]]}, ["y has shape (1, 1)", "x has 1 samples", "layer 1 gives 3 outputs", "expected (1, 3)"]),
    "y of another batch": ({"y": np.zeros((2, 3))}, ["y has shape (2, 3)", "expected (1, 3)"]),
    "a bias of another length": ({"biases": [[1.0]]}, ["layer 1: bias has shape (1,)", "expected (3,)"]),
    "a bias with two dimensions": ({"biases": [[[1.0], [2.0], [3.0]]]}, ["layer 1: bias has shape (3, 1)", "(outputs,)"]),
    "too many biases": ({"biases": [[0.0] * 3] * 2}, ["biases has 2 entries for 1 layers", "expected one for each layer, 1"]),
    "biases that are no list": ({"biases": 0.5}, ["biases", "0.5"]),
    "too few activations": ({"activations": []}, ["activations has 0 entries for 1 layers"]),
    "one activation for all": ({"activations": "tanh"}, ["activations", "'tanh'"]),
    "activations that are no list": ({"activations": None}, ["activations", "None"]),
    "an unknown activation": ({"activations": ["tahn"]}, ["layer 1: activation 'tahn' is not known", "expected one of", "tanh", "relu6"]),
    "an activation that is a number": ({"activations": [3]}, ["layer 1: activation 3 is not known"]),
    "three things for an activation": ({"activations": [("elu", {}, 1)]}, ["layer 1: activation"]),
    "an unknown parameter": ({"activations": [("elu", {"slope": 1.0})]}, ["layer 1: activation 'elu' has no parameter 'slope'", "alpha"]),
    "a parameter of none": ({"activations": [("tanh", {"alpha": 1.0})]}, ["'tanh' has no parameter 'alpha'", "it takes none"]),
    "a parameter of text": ({"activations": [("elu", {"alpha": "1"})]}, ["'elu': alpha is '1'", "expected a finite number"]),
    "a boolean parameter": ({"activations": [("elu", {"alpha": True})]}, ["alpha is True", "expected a finite number"]),
    "a NaN parameter": ({"activations": [("elu", {"alpha": math.nan})]}, ["alpha is nan", "expected a finite number"]),
    "a huge integer parameter": ({"activations": [("elu", {"alpha": 10**400})]}, ["alpha is 1000", "expected a finite number"]),
    "parameters that are no dict": ({"activations": [("elu", 1.0)]}, ["'elu': parameters are 1.0", "expected a dict"]),
    "an unknown loss": ({"loss": "l2"}, ["loss 'l2' is not known", "squared_error", "huber"]),
    "a loss with a bad parameter": ({"loss": ("huber", {"delta": -1.0})}, ["loss 'huber': delta is -1.0", "above 0"]),
    "an unknown reduction": ({"reduction": "none"}, ["reduction is 'none'", "sum, mean"]),
    "a reduction that cannot be hashed": ({"reduction": []}, ["reduction is []", "sum, mean"]),
    "an unknown want": ({"wants": ["x", "hessian"]}, ["wants is ['x', 'hessian']", "pre_activations"]),
    "wants that are text": ({"wants": "x"}, ["wants is 'x'", "a list of"]),
    "wants that are none": ({"wants": None}, ["wants is None", "a list of"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    changes, lines = REFUSED[name]
    with pytest.raises(ProblemError) as raised:
        posed(**changes)
    for line in lines:
        assert line in str(raised.value)


def test_what_the_table_changes_is_right_before():
    assert posed().widths == (2, 3)


def test_a_refusal_is_a_value_error():
    assert issubclass(ProblemError, ValueError)


# ---- what is taken ----

TAKEN = {
    "integers": [[1, 2]],
    "tuples": ((1.0, 2.0),),
    "float32": np.array([[1.0, 2.0]], np.float32),
    "float16": np.array([[1.0, 2.0]], np.float16),
    "bfloat16": np.array([[1.0, 2.0]], ml_dtypes.bfloat16),
    "long double": np.array([[1.0, 2.0]], np.longdouble),
    "int64": np.array([[1, 2]], np.int64),
    "uint8": np.array([[1, 2]], np.uint8),
    "the other byte order": np.array([[1.0, 2.0]], ">f8"),
    "columns first": np.asfortranarray([[1.0, 2.0]]),
    "a view": np.array([[1.0, 0.0, 2.0]])[:, ::2],
}


@pytest.mark.parametrize("kind", TAKEN)
def test_takes_real_numbers_of_every_kind(kind):
    x = posed(x=TAKEN[kind]).x
    assert x.dtype == np.float64 and x.dtype.isnative
    assert x.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("activations", [["tanh"], ("tanh",), [("tanh", {})], [["tanh", {}]]], ids=repr)
def test_takes_an_activation_in_every_way_of_writing_it(activations):
    assert posed(activations=activations).activations == ("tanh",)


@pytest.mark.parametrize("alpha", [np.float64(0.5), np.float32(0.5), 0.5], ids=lambda a: type(a).__name__)
def test_takes_parameters_of_numpy(alpha):
    ((_, parameters),) = posed(activations=[("elu", {"alpha": alpha})]).activations
    assert parameters == {"alpha": 0.5} and type(parameters["alpha"]) is float


NORMAL_FORMS = [
    (("elu", {"alpha": 1.0}), "elu"),
    (("elu", {"alpha": 1}), "elu"),
    (("elu", {}), "elu"),
    (("leaky_relu", {"slope": 0.01}), "leaky_relu"),
    (("elu", {"alpha": -2}), ("elu", {"alpha": -2.0})),
    (("leaky_relu", {"slope": -0.0}), ("leaky_relu", {"slope": 0.0})),
]


@pytest.mark.parametrize(("given", "held"), NORMAL_FORMS)
def test_default_parameters_are_left_out(given, held):
    problem = posed(activations=[given])
    assert problem.activations == (held,)
    assert repr(problem) == repr(posed(activations=[held])) and "-0.0" not in repr(problem)


@pytest.mark.parametrize("biases", [np.zeros((1, 3)), [np.zeros(3)], ([0, 0, 0],), np.ones((1, 3))], ids=["zeros", "list", "tuple", "ones"])
def test_biases_may_be_one_array(biases):
    assert posed(biases=biases).biases[0].tolist() == np.asarray(biases)[0].tolist()


def test_a_bias_of_zero_in_one_array_is_a_bias():
    problem = Problem(np.ones((1, 1, 1)), activations=["tanh"], x=[[1.0]], y=[[1.0]], biases=np.zeros((1, 1)))
    assert problem.biases[0] is not None


def test_weights_and_biases_are_always_wanted_and_wants_have_one_order():
    assert posed().wants == WANTS[:2]
    assert posed(wants=["deltas", "x", "x"]).wants == ("weights", "biases", "x", "deltas")


# ---- frozen, and copied ----


def test_arrays_are_read_only_copies():
    given = {"weights": [np.array(W)], "biases": [np.zeros(3)], "x": np.ones((1, 2)), "y": np.ones((1, 3))}
    problem = posed(**given)
    for array in (*given["weights"], *given["biases"], given["x"], given["y"]):
        array += 1
    assert problem == posed(weights=[W], biases=[[0.0] * 3], x=np.ones((1, 2)), y=np.ones((1, 3)))
    for name, array in problem.arrays():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        assert array.base is None or not array.base.flags.writeable, name


def test_parameters_are_copied():
    parameters = {"alpha": 2.0}
    problem = posed(activations=[("elu", parameters)])
    parameters["alpha"] = 3.0
    assert problem.activations == (("elu", {"alpha": 2.0}),)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.longdouble])
def test_a_copy_is_writable_and_of_the_dtype_asked_for(dtype):
    problem = posed(biases=[[0.5, 0.5, 0.5]], activations=[("elu", {"alpha": 2.0})], loss=("huber", {"delta": 2.0}), wants=["x"])
    copy = problem.copy(dtype)
    assert copy == problem
    for _, array in copy.arrays():
        assert array.dtype == dtype
        array[...] = 7
    copy.activations[0][1]["alpha"] = 9.0
    copy.loss[1]["delta"] = 9.0
    assert problem == posed(biases=[[0.5, 0.5, 0.5]], activations=[("elu", {"alpha": 2.0})], loss=("huber", {"delta": 2.0}), wants=["x"])


def test_replaced_changes_what_it_is_told_and_checks_it():
    problem = posed(biases=[[0.5] * 3], wants=["loss"])
    assert problem.replaced(reduction="mean") == posed(biases=[[0.5] * 3], wants=["loss"], reduction="mean")
    with pytest.raises(ProblemError, match="reduction is 'max'"):
        problem.replaced(reduction="max")
    with pytest.raises(TypeError, match="depth"):
        problem.replaced(depth=3)


# ---- equality and repr ----

DIFFERENT = {
    "weights": [np.array(W) + 1],
    "biases": [[0.0, 0.0, 0.0]],
    "activations": ["relu"],
    "x": [[1.0, 3.0]],
    "y": [[0.0, 1.0, 1.0]],
    "loss": "squared_error",
    "reduction": "mean",
    "wants": ["x"],
}


@pytest.mark.parametrize("part", DIFFERENT)
def test_problems_that_differ_in_one_part_are_not_equal(part):
    assert posed() == posed()
    assert posed(**{part: DIFFERENT[part]}) != posed()
    assert posed() != "a problem"


def test_problems_cannot_be_hashed():
    with pytest.raises(TypeError):
        hash(posed())


finite = st.floats(allow_nan=False, allow_infinity=False)
arrays = hnp.arrays


@st.composite
def problems(draw):
    """Any finite numbers: subnormal, huge, -0.0."""
    widths, batch = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4)), draw(st.integers(1, 2))
    array = lambda *shape: draw(arrays(np.float64, shape, elements=finite))  # noqa: E731
    choices = ["tanh", ("elu", {"alpha": draw(finite)}), ("leaky_relu", {"slope": draw(finite)})]
    return Problem(
        [array(n, m) for m, n in itertools.pairwise(widths)],
        biases=[array(n) if draw(st.booleans()) else None for n in widths[1:]],
        activations=[draw(st.sampled_from(choices)) for _ in widths[1:]],
        x=array(batch, widths[0]),
        y=array(batch, widths[-1]),
        loss=draw(st.sampled_from(["huber", ("huber", {"delta": 0.1}), "squared_error"])),
        reduction=draw(st.sampled_from(["sum", "mean"])),
        wants=draw(st.lists(st.sampled_from(WANTS))),
    )


def bits(problem):
    return [(name, array.tobytes()) for name, array in problem.arrays()]


@given(problems())
def test_repr_evaluates_to_an_equal_problem(problem):
    again = eval(repr(problem), {"Problem": Problem})
    assert again == problem and bits(again) == bits(problem)


@given(problems())
def test_json_is_exact_to_the_bit(problem):
    again = Problem.from_json(problem.to_json())
    assert again == problem and bits(again) == bits(problem)
    assert again.to_json() == problem.to_json()


@given(problems())
def test_no_zero_has_a_sign(problem):
    for _, array in problem.arrays():
        assert not np.signbit(array[array == 0]).any()
    assert not re.search(r"-0\.0(?!\d)|-0(?![\d.])", problem.to_json())


# ---- JSON: its words ----


def text(**changes):
    return dump(problem_data(posed()) | changes)


LAYER = {"weights": W, "activation": "tanh"}
BAD_JSON = {
    "no JSON": ("{", ["not JSON", "line 1, column 2"]),
    "nothing": ("", ["not JSON", "line 1, column 1"]),
    "NaN as a number": (text().replace("1.0", "NaN", 1), ["NaN is no JSON number", '"NaN"']),
    "Infinity as a number": (text().replace("1.0", "-Infinity", 1), ["-Infinity is no JSON number", "as a string"]),
    "a list": ("[]", ["found a list", "expected an object with schema, version"]),
    "null": ("null", ["found null", "expected an object"]),
    "another schema": (text(schema="backproof.gradient"), ["schema is 'backproof.gradient'", "expected 'backproof.problem'"]),
    "no schema": ("{}", ["schema is None", "expected 'backproof.problem'"]),
    "a newer version": (text(version=3), ["version is 3", READ_IN_WORDS]),
    "a version that is true": (text(version=True), ["version is True", READ_IN_WORDS]),
    "no x": (dump({k: v for k, v in problem_data(posed()).items() if k != "x"}), ["x is missing"]),
    "an unknown name": (text(inputs=[[1.0]]), ["'inputs' is not known", "x"]),
    "a name twice": (text()[:-1] + ', "reduction": "mean"}', ["reduction", "twice"]),
    "layers that are no list": (text(layers={}), ["layers is an object", "a list with one object for each layer"]),
    "no layers": (text(layers=[]), ["weights is empty"]),
    "a layer that is no object": (text(layers=[W]), ["layer 1: found a list", "expected an object with weights, activation"]),
    "a layer without weights": (text(layers=[{"activation": "tanh"}]), ["layer 1: weights is missing"]),
    "an unknown name in a layer": (text(layers=[LAYER | {"bias": None}]), ["layer 1: 'bias' is not known", "biases"]),
    "a boolean": (text(x=[[True, 1.0]]), ["x", "true", "expected a number"]),
    "null in an array": (text(x=[[None, 1.0]]), ["x", "null", "expected a number"]),
    "text in an array": (text(x=[["1.0", 1.0]]), ["x", "'1.0' is no number", '"NaN"']),
    "an object for an array": (text(x={"a": 1}), ["x", "expected a number"]),
    "NaN as text": (text(x=[["NaN", 1.0]]), ["x[0, 0] is nan", "expected finite numbers"]),
    "a number that is too large": (text().replace("1.0", "1e400", 1), ["expected"]),
    "an integer that is too large": (text().replace("1.0", "1" * 400, 1), ["too large"]),
    "an integer of 5000 digits": (text().replace("1.0", "1" * 5000, 1), ["not JSON"]),
    "rows of different lengths": (text(x=[[1.0, 2.0], [1.0]]), ["x", "different lengths"]),
    "a number for an array": (text(x=1.0), ["x has shape ()", "(batch, width)"]),
    "nested too deeply to read": ("[" * 100_000, ["nested too deeply"]),
    "nested too deeply for an array": (text().replace("[[1.0, 2.0]]", "[" * 900 + "1.0" + "]" * 900), ["x"]),
    "nested in more than 64 lists": (text().replace("[[1.0, 2.0]]", "[" * 80 + "1.0" + "]" * 80), ["x"]),
    "an activation that is a list": (text(layers=[LAYER | {"activation": ["elu"]}]), ["layer 1: activation is ['elu']", '"name": "elu"']),
    "an activation without a name": (text(layers=[LAYER | {"activation": {"alpha": 1}}]), ["layer 1: activation is", '"name"']),
    "an unknown activation": (text(layers=[LAYER | {"activation": {"name": "x"}}]), ["layer 1: activation 'x' is not known"]),
    "a parameter that is true": (text(layers=[LAYER | {"activation": {"name": "elu", "alpha": True}}]), ["alpha is True"]),
    "a parameter that is too large": (
        text(layers=[LAYER | {"activation": {"name": "elu", "alpha": 1}}]).replace('"alpha": 1', '"alpha": ' + "1" * 400),
        ["alpha is 111", "finite number"],
    ),
    "a loss that is a number": (text(loss=1), ["loss is 1"]),
    "wants that are text": (text(wants="x"), ["wants is a string", "a list of names"]),
    "a want that is an object": (text(wants=[{}]), ["wants is [{}]"]),
    "a reduction that is null": (text(reduction=None), ["reduction is None"]),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_refuses_json(name):
    given, lines = BAD_JSON[name]
    with pytest.raises(ProblemError) as raised:
        Problem.from_json(given)
    for line in lines:
        assert line in str(raised.value)
    assert len(str(raised.value)) < 2000


def test_what_may_be_left_out_of_json_has_its_default():
    data = {k: v for k, v in problem_data(posed()).items() if k in ("schema", "version", "layers", "x", "y")}
    data["layers"] = [{k: v for k, v in data["layers"][0].items() if k != "biases"}]
    assert Problem.from_data(data) == posed()


def test_json_is_by_layer_and_standard():
    problem = posed(
        biases=[[0.5] * 3], activations=[("elu", {"alpha": 1.5})], loss=("huber", {"delta": 2.0}), reduction="mean", wants=["x"]
    )
    assert json.loads(problem.to_json(), parse_constant=pytest.fail) == {
        "schema": "backproof.problem",
        "version": 2,
        "layers": [{"weights": W, "biases": [0.5] * 3, "activation": {"name": "elu", "alpha": 1.5}}],
        "loss": {"name": "huber", "delta": 2.0},
        "reduction": "mean",
        "x": [[1.0, 2.0]],
        "y": [[0.0, 1.0, 0.0]],
        "wants": ["weights", "biases", "x"],
    }


def test_integers_are_read_as_numbers():
    assert Problem.from_json(text().replace("1.0", "1")) == posed()


@pytest.mark.parametrize("value", ["x", "[1", '{"a": NaN}'])
def test_parse_refuses_what_is_no_json(value):
    with pytest.raises(ProblemError, match="not JSON"):
        parse(value)


# ---- files ----


@pytest.mark.parametrize("kind", [Problem, Gradient])
def test_a_file_that_cannot_be_read_is_named(tmp_path, kind):
    for name, content in (("broken.json", b"{"), ("other.json", b"{}"), ("latin.json", b'{"schema": "\xe9"}')):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ProblemError) as raised:
            kind.load(path)
        assert str(raised.value).startswith(f"{path}: ")
    with pytest.raises(FileNotFoundError):
        kind.load(tmp_path / "missing.json")


def test_what_is_saved_is_loaded(tmp_path):
    problem, path = posed(), tmp_path / "problem.json"
    problem.save(path)
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert Problem.load(str(path)) == problem
    answer = gradient(problem)
    answer.save(path)
    assert_same(Gradient.load(path), answer)


# ---- gradients ----


def assert_same(one, other):
    pairs = list(zip(one.arrays(), other.arrays(), strict=True))
    assert pairs
    for (place, a), (other_place, b) in pairs:
        a, b = np.asarray(a), np.asarray(b)
        assert place == other_place and a.dtype == b.dtype and a.shape == b.shape
        with np.errstate(invalid="ignore"):  # a NaN may be a signalling one
            np.testing.assert_array_equal(a.astype(np.float64), b.astype(np.float64))


@given(dtype=st.sampled_from(list(DTYPES.values())), data=st.data())
def test_a_gradient_keeps_its_bits_and_its_dtype(dtype, data):
    # any bits: NaN, infinities and subnormals among them
    array = lambda *shape: data.draw(arrays(f"u{dtype.itemsize}", shape)).view(dtype)  # noqa: E731
    maybe = lambda given: given if data.draw(st.booleans()) else None  # noqa: E731
    answer = Gradient(
        [array(2, 1), array(1, 2)],
        maybe([array(2), None]),
        x=maybe(array(2, 1)),
        loss=maybe(array()),
        pre_activations=maybe([array(2, 2), array(2, 1)]),
        activations=maybe([array(2, 2), array(2, 1)]),
        deltas=maybe([array(2, 2), array(2, 1)]),
    )
    again = Gradient.from_json(answer.to_json())
    assert_same(again, answer)
    assert (again.x is None, again.loss is None, again.biases is None) == (answer.x is None, answer.loss is None, answer.biases is None)


def test_what_is_not_finite_is_text():
    answer = Gradient([np.array([[np.nan, np.inf, -np.inf, -0.0]])], loss=np.inf)
    data = json.loads(answer.to_json(), parse_constant=pytest.fail)
    assert data["layers"] == [{"weights": [["NaN", "Infinity", "-Infinity", 0.0]]}]
    assert data["loss"] == "Infinity"
    again = Gradient.from_json(answer.to_json())
    np.testing.assert_array_equal(again.weights[0], answer.weights[0])
    assert again.loss == np.inf


def test_a_gradient_of_two_dtypes_loses_no_bits():
    # a float32 implementation whose loss is a Python float
    answer = Gradient([np.array([[0.1]], np.float32)], loss=0.1)
    again = Gradient.from_json(answer.to_json())
    assert float(again.weights[0][0, 0]) == float(np.float32(0.1)) and float(again.loss) == 0.1


@pytest.mark.parametrize(
    ("dtypes", "narrowest"),
    [
        ((np.float64,), "float64"),
        ((np.float32, np.float64), "float32"),
        ((np.float16,), "float16"),
        ((np.float16, ml_dtypes.bfloat16, np.float32), "bfloat16"),
        ((np.longdouble,), "float64"),
        ((">f4",), "float32"),
    ],
)
def test_dtype_names_the_narrowest(dtypes, narrowest):
    assert narrowest_dtype(Gradient([np.ones((1, 1), dtype) for dtype in dtypes])) == narrowest


def gradient_text(**changes):
    return dump(gradient_data(Gradient([np.ones((1, 1))])) | changes)


BAD_GRADIENTS = {
    "a problem": (posed().to_json(), ["schema is 'backproof.problem'", "expected 'backproof.gradient'"]),
    "no layers": (gradient_text(layers=[]), ["layers", "one object for each layer"]),
    "layers that are no list": (gradient_text(layers=1), ["layers is a number"]),
    "a layer without weights": (gradient_text(layers=[{"biases": [1.0]}]), ["layer 1: weights is missing"]),
    "weights that are null": (gradient_text(layers=[{"weights": None}]), ["layer 1", "weights"]),
    "an unknown dtype": (gradient_text(dtype="float8"), ["dtype is 'float8'", "float64, float32, float16, bfloat16"]),
    "a dtype that is a list": (gradient_text(dtype=[]), ["dtype is []"]),
    "an unknown name": (gradient_text(C=1.0), ["'C' is not known", "loss"]),
    "a boolean": (gradient_text(loss=True), ["loss", "true", "expected a number"]),
    "other text": (gradient_text(loss="nan"), ["loss", "'nan' is no number", '"NaN"']),
}


@pytest.mark.parametrize("name", BAD_GRADIENTS)
def test_refuses_a_gradient(name):
    given, lines = BAD_GRADIENTS[name]
    with pytest.raises(ProblemError) as raised:
        Gradient.from_json(given)
    for line in lines:
        assert line in str(raised.value)


def test_places_are_written_as_in_messages():
    assert [str(Place(*p)) for p in (("weights", 2), ("deltas", 1), ("x", None), ("loss", None))] == [
        "layer 2: dC/dW",
        "layer 1: delta",
        "dC/dx",
        "C",
    ]
    assert {place.quantity for place, _ in gradient(posed()).arrays()} == set(WANTS)


def test_every_loss_has_a_problem():
    y = [[0.0, 1.0, 0.0]]
    for loss, make in LOSSES.items():
        activations = [*GOOD["activations"][:-1], *(make().behind or GOOD["activations"][-1:])]
        assert posed(loss=loss, y=y, activations=activations).loss == loss
