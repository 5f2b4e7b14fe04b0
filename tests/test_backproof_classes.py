"""Classes and objects that hold a network: what they hold is found by looking, told, and never chosen among several."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from backproof import TargetError, check, from_class


def s(z):
    return 1 / (1 + np.exp(-np.clip(z, -700, 700)))


class OfOneShapeBase:
    def __init__(self):
        self.weights, self.biases = [np.ones((1, 1))], [np.ones((1, 1))]


class Listed:
    """Lists of weights (outputs, inputs) and of columns of biases; derivatives are left in nabla_w and nabla_b."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.weights = [np.random.randn(m, n) for n, m in pairwise(sizes)]
        self.biases = [np.random.randn(m, 1) for m in sizes[1:]]

    def backprop(self, x, y):
        a = [x.T]
        for w, b in zip(self.weights, self.biases, strict=True):
            a.append(s(w @ a[-1] + b))
        delta = self.error(a[-1] - y.T) * a[-1] * (1 - a[-1])
        self.nabla_w, self.nabla_b = [], []
        for i in reversed(range(len(self.weights))):
            self.nabla_w.insert(0, delta @ a[i].T)
            self.nabla_b.insert(0, delta.sum(axis=1, keepdims=True))
            delta = self.weights[i].T @ delta * a[i] * (1 - a[i])

    def error(self, difference):
        return difference


class Returned(Listed):
    """By turns, as some return it."""

    def backprop(self, x, y):
        super().backprop(x, y)
        return tuple(array for pair in zip(self.nabla_w, self.nabla_b, strict=True) for array in pair)


class BiasesFirst(Listed):
    def backprop(self, x, y):
        super().backprop(x, y)
        return self.nabla_b, self.nabla_w


class Ambiguous(OfOneShapeBase):
    """Weights and biases of one number each: what comes first cannot be seen."""

    def backprop(self, x, y):
        return [np.ones((1, 1))], [np.ones((1, 1))]


class InADict(Listed):
    def backprop(self, x, y):
        super().backprop(x, y)
        self.grads = {f"dW{i}": w for i, w in enumerate(self.nabla_w, 1)} | {f"db{i}": b for i, b in enumerate(self.nabla_b, 1)}
        del self.nabla_w, self.nabla_b


class InADictOfParams:
    """Weights (inputs, outputs) in a dict, and derivatives in another one, which the loss comes with."""

    def __init__(self, sizes):
        self.params = {f"W{i}": np.random.randn(n, m) for i, (n, m) in enumerate(pairwise(sizes), 1)}
        self.params |= {f"b{i}": np.zeros(m) for i, m in enumerate(sizes[1:], 1)}

    def loss(self, x, y):
        depth = len(self.params) // 2
        a = [x]
        for i in range(1, depth + 1):
            a.append(s(a[-1] @ self.params[f"W{i}"] + self.params[f"b{i}"]))
        delta, grads = self.error(a[-1] - y) * a[-1] * (1 - a[-1]), {}
        for i in reversed(range(1, depth + 1)):
            grads[f"W{i}"], grads[f"b{i}"] = a[i - 1].T @ delta, delta.sum(axis=0)
            delta = delta @ self.params[f"W{i}"].T * a[i - 1] * (1 - a[i - 1])
        return 0.5 * ((a[-1] - y) ** 2).sum(), grads

    def error(self, difference):
        return difference


class LossBehind(Listed):
    """A tuple of derivatives by turns, and the loss behind them; of backprop, whatever loss is."""

    def backprop(self, x, y):
        super().backprop(x, y)
        return [self.nabla_w, self.nabla_b][0], self.nabla_b, 0.5

    def loss(self, x, y):
        raise AssertionError("not asked for")


class LossAlone(Listed):
    """The loss is returned, and the derivatives are left in the network."""

    def backprop(self, x, y):
        super().backprop(x, y)
        return np.float64(0.5)


class Numbered:
    """Three sizes, W1 and W2 as (inputs, outputs), rows of biases, and an update in place."""

    def __init__(self, inputs, hidden, outputs):
        self.W1, self.W2 = np.random.randn(inputs, hidden), np.random.randn(hidden, outputs)
        self.b1, self.b2 = np.zeros((1, hidden)), np.zeros((1, outputs))

    def train(self, x, y, learning_rate=0.1):
        hidden = s(x @ self.W1 + self.b1)
        output = s(hidden @ self.W2 + self.b2)
        delta2 = self.error(output - y) * output * (1 - output)
        delta1 = delta2 @ self.W2.T * hidden * (1 - hidden)
        self.W2 -= learning_rate * hidden.T @ delta2
        self.b2 -= learning_rate * delta2.sum(axis=0, keepdims=True)
        self.W1 -= learning_rate * x.T @ delta1
        self.b1 -= learning_rate * delta1.sum(axis=0, keepdims=True)

    def error(self, difference):
        return difference


class OfOneShape(Numbered):
    """Nothing to say: two inputs, three hidden nodes, one output, and no biases."""

    def __init__(self):
        super().__init__(2, 3, 1)
        del self.b1, self.b2

    def gradient(self, x, y):
        hidden = s(x @ self.W1)
        output = s(hidden @ self.W2)
        delta2 = self.error(output - y) * output * (1 - output)
        return x.T @ (delta2 @ self.W2.T * hidden * (1 - hidden)), hidden.T @ delta2


SIGMOID = {"activations": ["sigmoid"]}
UPDATED = {"returns": "updated", "learning_rate": "learning_rate"}

CLASSES = [
    (
        Listed,
        {},
        "of Listed: made by Listed([n_0, ..., n_L]); weights in weights as (outputs, inputs), biases in biases as columns; "
        "asked by backprop(x, y)",
    ),
    (Returned, {}, "asked by backprop(x, y), read as dC/dW and dC/db by turns"),
    (BiasesFirst, {}, "asked by backprop(x, y), read as (list of dC/db, list of dC/dW)"),
    (InADict, {}, "asked by backprop(x, y)"),
    (
        InADictOfParams,
        {},
        "of InADictOfParams: made by InADictOfParams([n_0, ..., n_L]); weights in params['W1'], params['W2'], params['W3'] as "
        "(inputs, outputs), biases in params['b1'], params['b2'], params['b3'] as vectors; asked by loss(x, y)",
    ),
    (LossBehind, {}, "asked by backprop(x, y), read as (list of dC/dW, list of dC/db)"),
    (LossAlone, {}, "asked by backprop(x, y)"),
    (
        Numbered,
        UPDATED,
        "of Numbered: made by Numbered(n_0, n_1, n_2); weights in W1, W2 as (inputs, outputs), biases in b1, b2 as rows; "
        "asked by train(x, y)",
    ),
    (
        OfOneShape,
        {},
        "of OfOneShape: made by OfOneShape(); weights in W1, W2 as (inputs, outputs), no biases; "
        "asked by gradient(x, y), read as one dC/dW for each layer",
    ),
    (OfOneShape(), {}, "a copy of the object that was given"),
]


KINDS = ["listed", "returned", "biases first", "dict", "dict of params", "loss behind", "loss alone", "numbered", "one shape", "object"]


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("given", "options", "told"), CLASSES, ids=KINDS)
def test_a_class_is_a_target(given, options, told):
    target = from_class(given, supports=SIGMOID, **options)
    report = check(target, max_examples=8, seed=1, shrink_seconds=0)
    assert report.passed, str(report)
    assert told in report.notes[0]


@pytest.mark.parametrize(("given", "options"), [row[:2] for row in CLASSES[:-1]], ids=KINDS[:-1])
def test_what_a_class_does_wrong_is_told(given, options):
    wrong = type("Wrong", (given,), {"error": lambda self, difference: 2 * difference})
    report = check(from_class(wrong, supports=SIGMOID, **options), max_examples=8, seed=1, shrink_seconds=0)
    assert "wrong" in {finding.verdict for finding in report.findings}
    assert report.target == "Wrong"


def test_what_is_said_is_not_looked_for():
    class Mine:
        def setup(self, weights, biases):
            self.layers = Listed([1])
            self.layers.weights, self.layers.biases = weights, biases

    def ask(net, x, y):
        net.layers.backprop(x, y)
        return net.layers.nabla_w, net.layers.nabla_b

    supports = SIGMOID | {"biases": True}
    target = from_class(
        Mine, make=lambda widths: Mine(), set_weights=Mine.setup, gradient=ask, biases="column", returns="weights_biases", supports=supports
    )
    assert check(target, max_examples=8, seed=1).passed
    assert target.notes == ("of test_what_is_said_is_not_looked_for.<locals>.Mine: made by make; asked by gradient",)


class Both(Listed):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.w = self.weights


class Square(OfOneShape):
    def __init__(self):
        self.W1, self.W2 = np.zeros((2, 2)), np.zeros((2, 2))


class TwoMethods(Listed):
    def gradient(self, x, y):
        return None


class Unasked:
    def __init__(self):
        self.weights = [np.zeros((2, 2))]

    def solve(self, x, y):
        return 0.0


class Unknown:
    def __init__(self):
        self.synapses = [np.zeros((2, 2))]


class Four:
    def __init__(self, inputs, hidden, outputs, rate):
        pass


class Broken:
    def __init__(self, sizes):
        raise ValueError("no")


class Flat(Listed):
    def __init__(self, sizes):
        super().__init__(sizes)
        self.biases = [0.0 * b[:, 0].reshape(1, 1, -1) for b in self.biases]


class Lost(Listed):
    def backprop(self, x, y):
        return None


REFUSED = [
    (Listed, {"supports": None}, "from_class: say which activations Listed has: supports={'activations': ['sigmoid'], ...}"),
    (Both, {}, "from_class: the weights may be weights; or w: say set_weights=lambda net, weights, biases: ..."),
    (Square, {}, "from_class: W1, W2 have the shapes [(2, 2), (2, 2)], which fit both ways: say weights='out_in' or 'in_out'"),
    (
        TwoMethods,
        {},
        "from_class: the method to be asked may be backprop or gradient: say gradient='name', or gradient=lambda net, x, y: ...",
    ),
    (Unasked, {}, "from_class: no method is known by its name to give a gradient (it has solve): say gradient='name', or gradient=lambda"),
    (Listed, {"gradient": "backprob"}, "from_class: there is no method backprob (it has backprop, error): say gradient='name'"),
    (
        Unknown,
        {},
        "from_class: Unknown holds no weights by a name that is known (it has synapses): say set_weights=lambda net, weights, biases: ...",
    ),
    (
        Ambiguous,
        {"weights": "out_in", "biases": "column"},
        "what it answers may be (list of dC/dW, list of dC/db) or (list of dC/db, list of dC/dW): say returns=",
    ),
    (Four, {}, "from_class: Four must be given inputs, hidden, outputs, rate: say make=lambda widths: Four(...)"),
    (Broken, {}, "cannot be made of the widths [2, 3, 4, 1] (ValueError: no): say make=lambda widths: ..."),
    (
        Flat,
        {},
        "from_class: biases have the shapes [(1, 1, 3), (1, 1, 4), (1, 1, 1)]: say biases=, one of vector, column, row, or set_weights=",
    ),
    (
        Listed,
        {"set_weights": lambda *given: None, "gradient": "backprop", **UPDATED},
        "from_class: returns is 'updated', so set_weights must be left out: new weights are read where they are held",
    ),
]


@pytest.mark.parametrize(("given", "options", "message"), REFUSED, ids=[row[0].__name__ for row in REFUSED])
def test_what_is_not_found_or_found_twice_is_told(given, options, message):
    with pytest.raises(TargetError) as told:
        from_class(given, **{"supports": SIGMOID} | options)
    assert message in str(told.value)


class LossHere(Listed):
    """A loss that is one alone; the gradient is in a method whose name is not known, and where it is left are zeros at first."""

    def __init__(self, sizes):
        super().__init__(sizes)
        self.nabla_w, self.nabla_b = [0 * w for w in self.weights], [0 * b for b in self.biases]
        self.bprop, self.backprop = self.backprop, None

    def loss(self, x, y):
        return 0.5


class OneNode(Numbered):
    """dC/db of the one node of the last layer is a number, which is no loss."""

    def __init__(self):
        super().__init__(2, 3, 1)
        self.b1, self.b2 = self.b1[0], self.b2[0]

    def backprop(self, x, y):
        hidden = s(x @ self.W1 + self.b1)
        output = s(hidden @ self.W2 + self.b2)
        delta2 = (output - y) * output * (1 - output)
        delta1 = delta2 @ self.W2.T * hidden * (1 - hidden)
        return x.T @ delta1, delta1.sum(axis=0), hidden.T @ delta2, delta2.sum()


class Deep(Listed):
    """It cannot be made with one layer, and raises."""

    def __init__(self, sizes):
        assert len(sizes) > 2
        super().__init__(sizes)

    def backprop(self, x, y):
        raise Frozen("no")


@dataclass(frozen=True)
class Frozen(Exception):
    said: str


def test_a_loss_alone_is_no_gradient_whatever_is_held_beside_it():
    with pytest.raises(TargetError, match="loss returns a number alone, and no other method is known by its name to give a gradient: say"):
        from_class(LossHere, supports=SIGMOID)


def test_a_number_that_is_a_derivative_is_not_taken_for_the_loss():
    target = from_class(OneNode, supports=SIGMOID)
    assert target.notes[0].endswith("asked by backprop(x, y), read as dC/dW and dC/db by turns")
    assert check(target, max_examples=8, seed=1, shrink_seconds=0).passed


def test_a_class_that_is_made_with_two_layers_alone_is_asked_and_what_it_raises_is_told():
    (finding,) = check(from_class(Deep, supports=SIGMOID | {"depth": (2, 3)}), max_examples=2, seed=1, shrink_seconds=0).findings
    assert (finding.verdict, finding.message.startswith("Frozen: no ")) == ("raises", True)


class OneLayerOff(Listed):
    """The biases' derivatives first, and the error goes down by the weights one layer too low, whose shapes seldom fit."""

    def backprop(self, x, y):
        weights = self.weights
        self.weights = [weights[max(i - 1, 0)] for i in range(len(weights))]
        try:
            super().backprop(x, y)
        finally:
            self.weights = weights
        return self.nabla_b, self.nabla_w


class Square2(Listed):
    """Raises at each network, so that the form of its answer is not seen."""

    def __init__(self):
        super().__init__([2, 2, 2])

    def backprop(self, x, y):
        raise ValueError("no")


def test_the_form_of_an_answer_is_read_off_one_layer_where_more_of_them_raise():
    target = from_class(OneLayerOff, supports=SIGMOID)
    assert target.notes[0].endswith("asked by backprop(x, y), read as (list of dC/db, list of dC/dW)")
    assert "wrong" in {finding.verdict for finding in check(target, max_examples=20, seed=1, shrink_seconds=0).findings}


def test_that_the_form_of_an_answer_was_not_seen_is_told():
    told = from_class(Square2, weights="out_in", supports=SIGMOID).notes[0]
    why = "which raised ValueError when it was tried: if it does not return (list of dC/dW, list of dC/db), say returns="
    assert told.endswith(f"asked by backprop(x, y), {why}")


def test_options_are_told_as_those_of_the_class():
    class Rows(Listed):
        def backprop(self, x, y):
            super().backprop(x, y)
            return [w.T for w in self.nabla_w], self.nabla_b

    class Columns(Listed):
        def backprop(self, x, y):
            if len(x) != self.sizes[0]:
                raise ValueError("rows")
            super().backprop(x.T, y.T)

    report = check(from_class(Rows, supports=SIGMOID), max_examples=8, seed=1, shrink_seconds=0)
    assert 'say backproof.from_class(Rows, weights="in_out")' in "".join(finding.message for finding in report.findings)
    report = check(from_class(Columns, supports=SIGMOID), max_examples=8, seed=1, shrink_seconds=0)
    assert 'with samples="columns" it answers: say backproof.from_class(Columns, samples="columns")' in report.findings[0].message


def test_derivatives_that_are_nowhere_or_in_two_places_are_told():
    report = check(from_class(Lost, supports=SIGMOID), max_examples=2, seed=1, shrink_seconds=0)
    assert report.findings[0].message == (
        "asked by backprop(x, y) and returns no derivatives, and Lost then holds none by a name that is known: "
        "say gradient=lambda net, x, y: ..."
    )

    class Twice(Listed):
        def backprop(self, x, y):
            super().backprop(x, y)
            self.dW = self.nabla_w

    report = check(from_class(Twice, supports=SIGMOID), max_examples=2, seed=1, shrink_seconds=0)
    assert report.findings[0].message.startswith("the derivatives may be any of dW; nabla_b; nabla_w; nabla_b: say gradient=")


def test_a_learning_rate_that_is_no_parameter_of_the_method_is_told_at_once():
    class Own(Listed):
        def train_step(self, x, y):
            return None

    with pytest.raises(TargetError, match=r"train_step takes x, y, and no rate: say learning_rate=0.1, the number that the network has"):
        from_class(Own, gradient="train_step", returns="updated", learning_rate="rate", supports={"activations": ["sigmoid"]})
