"""What a target returns is read if it can be, and refused with what was given and what is expected if it cannot."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from backproof import Gradient, Problem, gradient, verify
from properties.answers.answer import Answer, Declined, as_gradient, expected, without_counted_terms

PROBLEM = Problem(
    [[[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]], [[1.5, -0.5, 1.0]]],
    biases=[[0.1, -0.2, 0.3], None],
    activations=["tanh", "identity"],
    x=[[1.0, 0.5]],
    y=[[0.0]],
)
WANTING = PROBLEM.replaced(wants=["x", "loss", "deltas"])
W = [np.array(w) for w in gradient(PROBLEM).weights]
B = [np.array(gradient(PROBLEM).biases[0]), None]
PAIR = "expected a Gradient, or a pair (list of dC/dW, list of dC/db or None)"


class Undetachable:
    def detach(self):
        raise RuntimeError("no way")


def breaks_off():
    yield W[0]
    raise ValueError("broke off")


MALFORMED = [
    ("None", None, f"the answer is None: {PAIR}"),
    ("a string", "hello", f"the answer is a str: {PAIR}"),
    ("a number", 3.0, f"the answer is a float: {PAIR}"),
    ("an array", W[0], f"the answer is a ndarray: {PAIR}"),
    ("a dict", {"weights": W, "biases": B}, f"the answer is a dict of 2: {PAIR}"),
    ("a triple", (W, B, 0.0), f"the answer is a tuple of 3: {PAIR}"),
    ("no weights", (None, B), "dC/dW is missing: expected a list with one array for each layer"),
    ("weights are a number", (1.0, B), "dC/dW is a float: expected a list with one array for each layer"),
    ("too few", (W[:1], B), "dC/dW has 1 arrays: expected one for each layer, 2"),
    ("too many", ([*W, W[1]], B), "dC/dW has 3 arrays: expected one for each layer, 2"),
    ("no end", (itertools.repeat(W[0]), B), "dC/dW has 1002 arrays: expected one for each layer, 2"),
    ("a list that breaks off", (breaks_off(), B), "that cannot be listed (broke off): expected a list"),
    ("too few biases", (W, B[:1]), "dC/db has 1 arrays: expected one for each layer, 2"),
    ("one weight is None", ([W[0], None], B), "layer 2: dC/dW is missing: the problem asks for it"),
    ("no biases", (W, None), "layer 1: dC/db is missing: the problem asks for it"),
    ("one bias is None", (W, [None, None]), "layer 1: dC/db is missing: the problem asks for it"),
    ("transposed", ([W[0].T, W[1]], B), "layer 1: dC/dW has shape (2, 3), expected (3, 2); it is transposed"),
    ("flat", ([W[0].ravel(), W[1]], B), "layer 1: dC/dW has shape (6,), expected (3, 2)"),
    ("a column", (W, [B[0][:, None], None]), "layer 1: dC/db has shape (3, 1), expected (3,)"),
    ("a row", (W, [B[0][None], None]), "layer 1: dC/db has shape (1, 3), expected (3,)"),
    (
        "integers",
        ([W[0].astype(int), W[1]], B),
        "layer 1: dC/dW has dtype int64: expected floating-point numbers, such as float64, float32, float16, bfloat16",
    ),
    (
        "a list of integer arrays",
        ([[np.array([1, 2]), np.array([3, 4]), np.array([5, 6])], W[1]], B),
        "layer 1: dC/dW has dtype int64: expected",
    ),
    ("a list of booleans", ([[[True, False], [1, 0], [0, 1]], W[1]], B), "layer 1: dC/dW has dtype int64: expected floating-point"),
    ("a whole number without end", ([[[10**400, 0], [1, 0], [0, 1]], W[1]], B), "which NumPy cannot read as an array (int too large"),
    ("8 bits", ([W[0].astype(ml_dtypes.float8_e5m2), W[1]], B), "layer 1: dC/dW has dtype float8_e5m2: expected floating-point numbers"),
    ("bytes", ([W[0].astype(np.float16).view("V2"), W[1]], B), "layer 1: dC/dW has dtype |V2: expected floating-point numbers"),
    ("records", ([np.zeros((3, 2), "f4,f4"), W[1]], B), "layer 1: dC/dW has dtype [('f0', '<f4'), ('f1', '<f4')]: expected"),
    ("booleans", ([W[0] > 0, W[1]], B), "layer 1: dC/dW has dtype bool: expected floating-point numbers"),
    ("complex", ([W[0] + 0j, W[1]], B), "layer 1: dC/dW has dtype complex128: expected floating-point numbers"),
    ("objects", ([W[0].astype(object), W[1]], B), "layer 1: dC/dW has dtype object: expected floating-point numbers"),
    ("strings", (["a", "b"], B), "layer 1: dC/dW has dtype <U1: expected floating-point numbers"),
    ("ragged", ([[[1.0], [1.0, 2.0]], W[1]], B), "layer 1: dC/dW is a list of 2, which NumPy cannot read as an array ("),
    ("undetachable", ([Undetachable(), W[1]], B), "layer 1: dC/dW is a Undetachable, which NumPy cannot read as an array (no way)"),
    ("x has a wrong shape", Gradient(W, B, x=np.zeros(2)), "dC/dx has shape (2,), expected (1, 2)"),
    ("the loss is an array of an integer", Gradient(W, B, loss=np.array(1)), "C has dtype int64: expected floating-point numbers"),
    ("the loss is a vector", Gradient(W, B, loss=np.zeros(1)), "C has shape (1,), expected ()"),
    ("too few deltas", Gradient(W, B, deltas=[np.zeros((1, 3))]), "delta has 1 arrays: expected one for each layer, 2"),
]


@pytest.mark.parametrize(("given", "message"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_a_malformed_answer_is_told(given, message):
    judged = verify(PROBLEM, given)
    assert (judged.verdict, judged.passed, judged.place) == ("malformed", False, None)
    assert message in judged.reason


WHOLE = [
    ("lists", ([[[1, 0], [0, 1], [2, -3]], [[0, 0, 1]]], [[0, 1, 0], None])),
    ("a mixture", ([[[1, 0], [0, 1], [2, -3]], [[0.0, 0, 1]]], [(0, 1.0, 0), None])),
    ("beside arrays", ([[[1, 0], [0, 1], [2, -3]], np.array([[0.0, 0.0, 1.0]])], [[0, 1, 0], None])),
    ("of another language, beyond 2^64", ([[[10**20, 0], [0, 1], [2, -3]], [[0, 0, 1]]], [[0, 1, 0], None])),
]


@pytest.mark.parametrize("given", [row[1] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_whole_numbers_in_lists_are_numbers(given):
    """JavaScript writes 1.0 as 1, and so does whoever types lists."""
    read = as_gradient(given, PROBLEM)
    assert [array.dtype for _, array in read.arrays()] == [np.float64] * 3
    assert np.array_equal(read.weights[0], np.array(given[0][0], dtype=float))
    assert as_gradient(Gradient(*given, loss=1), PROBLEM).loss.dtype == np.float64


MISSING = [
    ("x", Gradient(W, B, loss=0.5), "dC/dx is missing: the problem asks for it"),
    ("loss", Gradient(W, B, x=np.zeros((1, 2))), "C is missing: the problem asks for it"),
    ("deltas", Gradient(W, B, x=np.zeros((1, 2)), loss=0.5), "layer 1: delta is missing: the problem asks for it"),
]


@pytest.mark.parametrize(("given", "message"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING])
def test_what_the_problem_wants_must_be_there(given, message):
    assert verify(WANTING, given).reason == message


def test_what_is_wanted_and_given_is_judged():
    assert verify(WANTING, gradient(WANTING)).verdict == "right"


ACCEPTED = [
    ("lists of numbers", ([w.tolist() for w in W], [B[0].tolist(), None])),
    ("tuples", (tuple(W), tuple(B))),
    ("a list of two", [W, B]),
    ("generators", ((w for w in W), (b for b in B))),
    ("fortran order", ([np.asfortranarray(w) for w in W], B)),
    ("read-only views", ([w[:] for w in W], B)),
    ("big endian", ([w.astype(">f8") for w in W], B)),
    ("a bias gradient where there is no bias", (W, list(gradient(PROBLEM).biases))),
    ("a python number as loss", Gradient(W, B, loss=float(gradient(PROBLEM).loss))),
]


@pytest.mark.parametrize("given", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_what_can_be_read_is_accepted(given):
    assert verify(PROBLEM, given).verdict == "right"


def test_a_layer_without_biases_has_no_derivative_by_them_whatever_is_given():
    assert verify(PROBLEM, (W, [B[0], np.array([7.0])])).verdict == "right"
    assert verify(PROBLEM, (W, [B[0], "nothing"])).verdict == "malformed"


def test_shapes_and_wanted_places():
    everything = PROBLEM.replaced(wants=["x", "loss", "pre_activations", "activations", "deltas"])
    shapes, wanted = expected(everything)
    exact = dict(gradient(everything).arrays())
    assert len(wanted) == 2 + 1 + 2 + 3 * 2
    assert all(np.shape(exact[place]) == shapes[place] for place in wanted)
    assert {place.quantity for place in expected(PROBLEM)[1]} == {"weights", "biases"}


def test_reading_copies_nothing_that_is_an_array_already():
    read = as_gradient((W, B), PROBLEM)
    assert read.weights[0] is W[0]
    assert read.biases[1] is None


class OnADevice:
    """A tensor as a framework holds it elsewhere: NumPy can read it only after .detach() and .cpu(), and then by .numpy()."""

    dtype = "float64"

    def __init__(self, array, steps=()):
        self.array, self.steps, self.shape = array, steps, array.shape

    def detach(self):
        return OnADevice(self.array, (*self.steps, "detach"))

    def cpu(self):
        return OnADevice(self.array, (*self.steps, "cpu"))

    def numpy(self):
        if self.steps != ("detach", "cpu"):
            raise TypeError("can't convert a tensor on a device to numpy")
        return self.array


class Lazy:
    """An array that is worked out when it is read."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def numpy(self):
        return self.array


def torch_with_gradient(array):
    torch = pytest.importorskip("torch")
    return torch.tensor(array, requires_grad=True)


@pytest.mark.parametrize("kind", [OnADevice, Lazy, torch_with_gradient])
def test_tensors_of_frameworks_are_read_wherever_they_are(kind):
    read = as_gradient(([kind(w) for w in W], [kind(B[0]), None]), PROBLEM)
    for (place, array), exact in zip(read.arrays(), (*W, B[0]), strict=True):
        assert np.array_equal(array, exact), place


def bfloat16(array):
    return array.astype(ml_dtypes.bfloat16)


def torch_bfloat16(array):
    torch = pytest.importorskip("torch")
    return torch.tensor(array, dtype=torch.bfloat16, requires_grad=True)


def jax_bfloat16(array):
    jax = pytest.importorskip("jax")
    return jax.numpy.asarray(array, dtype=jax.numpy.bfloat16)


@pytest.mark.parametrize("kind", [bfloat16, torch_bfloat16, jax_bfloat16])
def test_bfloat16_is_read_whoever_made_it(kind):
    read = as_gradient(Gradient([kind(w) for w in W], [kind(B[0]), None], loss=kind(np.array(0.3))), PROBLEM)
    for (place, array), exact in zip(read.arrays(), (*W, B[0], np.array(0.3)), strict=True):
        assert array.dtype == ml_dtypes.bfloat16, place
        assert array.tolist() == exact.astype(ml_dtypes.bfloat16).tolist(), place
    judged = verify(PROBLEM, read)
    assert (judged.verdict, judged.precision) == ("right", "bfloat16")
    assert Answer(read).same_as(Answer(Gradient.from_json(read.to_json())))
    assert not Answer(read).same_as(Answer(as_gradient((W, B), PROBLEM)))
    assert verify(PROBLEM, ([kind(2 * w) for w in W], [kind(B[0]), None])).verdict == "wrong"


@pytest.mark.parametrize("changes", [{"sample_weights": [2.0]}, {"penalty": "l2"}], ids=["weights of samples", "a penalty"])
def test_a_network_alone_declines_what_is_counted_besides(changes):
    without_counted_terms(PROBLEM, "Net")
    with pytest.raises(Declined, match="Net is asked without weights of samples and penalties: they are no part of it"):
        without_counted_terms(PROBLEM.replaced(**changes), "Net")
