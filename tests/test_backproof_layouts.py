"""The forms in which people hold layers, biases and class labels, given to a function and read back."""

import numpy as np
import pytest

from backproof import Problem, TargetError, adapt, check, gradient
from backproof.targets.target import InProcess


def derivatives(weights, biases, x, y, loss="half_squared_error"):
    """(list of dC/dW, list of dC/db) of layers of tanh, None where a layer has no biases."""
    activations = ["tanh"] * (len(weights) - 1) + ["identity"]
    answer = gradient(Problem(weights, biases=biases, activations=activations, x=x, y=y, loss=loss))
    return list(answer.weights), [None if b is None else db for b, db in zip(biases, answer.biases, strict=True)]


def of_pairs(layers, x, y):
    dW, db = derivatives([w for w, _ in layers], [b for _, b in layers], x, y)
    return list(zip(dW, db, strict=True))


def of_dicts(layers, x, y):
    dW, db = derivatives([layer["W"] for layer in layers], [layer.get("b") for layer in layers], x, y)
    return [{"dW": w} if b is None else {"dW": w, "db": b} for w, b in zip(dW, db, strict=True)]


def of_dicts_with_the_weights_beside(layers, x, y):
    return [{**layer, **slopes} for layer, slopes in zip(layers, of_dicts(layers, x, y), strict=True)]


def of_one_dict(parameters, x, y):
    layers = [{"W": parameters[f"W{i}"], "b": parameters.get(f"b{i}")} for i in range(1, 7) if f"W{i}" in parameters]
    return {f"{name}{i}": slope for i, slopes in enumerate(of_dicts(layers, x, y), 1) for name, slope in slopes.items()}


def of_one_dict_and_the_loss(parameters, x, y):
    return np.float64(0.5), of_one_dict(parameters, x, y)


def of_lists_behind_the_loss(weights, biases, x, y):
    return 0.5, *derivatives(weights, biases, x, y)


def of_numbers(w1, w2, w3, w4, w5, w6, b1, b2, b3, x, y):
    dW, db = derivatives([[[w1, w2], [w3, w4]], [[w5, w6]]], [[b1, b2], [b3]], x, y)
    return [float(slope) for array in (*dW, *db) for slope in array.ravel()]


def updates_of_dicts(layers, x, y, lr):
    for layer, slopes in zip(layers, of_dicts(layers, x, y), strict=True):
        for name in layer:
            layer[name] = layer[name] - lr * slopes[f"d{name}"]


def updates_of_one_dict(parameters, x, y, lr):
    slopes = of_one_dict(parameters, x, y)
    return {name: array - lr * slopes[f"d{name}"] for name, array in parameters.items()}


def matrices(weights, biases, x, y):
    dW, db = derivatives(weights, biases, x, y)
    return [np.matrix(w) for w in dW], [None if b is None else np.matrix(b) for b in db]


pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")

ANY = {"activations": ["tanh"], "output_activations": ["identity"]}
OF_221 = ANY | {"widths": [2, 2, 1], "biases": True}

FORMS = [
    (of_pairs, {"layers": "pairs"}, ANY),
    (of_dicts, {"layers": "dicts"}, ANY),
    (of_dicts_with_the_weights_beside, {"layers": "dicts"}, ANY),
    (of_one_dict, {"layers": "dict"}, ANY),
    (of_one_dict_and_the_loss, {"layers": "dict"}, ANY),
    (of_lists_behind_the_loss, {}, ANY),
    (of_numbers, {"layers": "numbers"}, OF_221),
    (updates_of_dicts, {"layers": "dicts", "returns": "updated", "learning_rate": "lr"}, ANY),
    (updates_of_one_dict, {"layers": "dict", "returns": "updated", "learning_rate": "lr"}, ANY),
    (matrices, {}, ANY),
]
IDS = [form[0].__name__ for form in FORMS]


@pytest.mark.parametrize(("f", "layout", "supports"), FORMS, ids=IDS)
def test_a_form_is_adapted(f, layout, supports):
    report = check(adapt(f, activations=False, supports=supports, **layout), max_examples=8, seed=1, shrink_seconds=0)
    assert report.verdict == "right", str(report)


@pytest.mark.parametrize(("f", "layout", "supports"), FORMS, ids=IDS)
def test_what_is_wrong_in_a_form_is_told(f, layout, supports):
    def with_wrong_y(*given, **rate):
        *parts, y = given
        return f(*parts, 1.001 * y, **rate)

    report = check(adapt(with_wrong_y, activations=False, supports=supports, **layout), max_examples=5, seed=1, shrink_seconds=0)
    assert report.findings[0].verdict == "wrong"


def of_classes(weights, biases, x, y):
    """y: the number of each sample's class."""
    assert y.dtype.kind == "i"
    assert y.shape == (len(x),)
    return derivatives(weights, biases, x, np.eye(len(weights[-1]))[y], "softmax_cross_entropy")


def of_one_class(weights, biases, x, y):
    assert y.ndim == 0
    return of_classes(weights, biases, x[None], y[None])


def of_classes_in_columns(weights, biases, x, y):
    return of_classes(weights, biases, x.T, y)


@pytest.mark.parametrize(
    ("f", "samples"), [(of_classes, "rows"), (of_one_class, "one"), (of_classes_in_columns, "columns")], ids=["rows", "one", "columns"]
)
def test_classes_are_given_by_their_numbers(f, samples):
    target = adapt(f, activations=False, samples=samples, expected="class_index", supports=ANY)
    assert target.supports["losses"] == ["softmax_cross_entropy"]
    assert target.supports["expected"] == "one_hot"
    assert check(target, max_examples=15, seed=1).verdict == "right"


def test_a_class_that_is_off_by_one_is_wrong():
    def counts_from_one(weights, biases, x, y):
        return of_classes(weights, biases, x, (y + 1) % len(weights[-1]))

    target = adapt(counts_from_one, activations=False, expected="class_index", supports=ANY)
    assert check(target, max_examples=15, seed=1, shrink_seconds=0).findings[0].verdict == "wrong"


PROBLEM = Problem([np.ones((2, 3))], biases=[np.ones(2)], activations=["tanh"], x=np.ones((5, 3)), y=np.ones((5, 2)))

UNREAD = [
    (
        "dict",
        lambda layers, x, y: {"g1": layers["W1"], "h1": 0},
        "f answers a dict with the keys 'g1', 'h1': expected any of 'dW1', 'dw1', 'W1', 'w1'",
    ),
    ("dicts", lambda layers, x, y: [{"g": layers[0]["W"]}], "f answers a dict with the keys 'g': expected any of 'dW', 'dw', 'W', 'w'"),
    ("dicts", lambda layers, x, y: 3, "the answer of f cannot be read as layers='dicts' has it (TypeError: 'int' object is not iterable)"),
    ("numbers", lambda *given: [1.0, 2.0], "f answers 2 numbers: expected one for each that it was given, 8"),
]


@pytest.mark.parametrize(("layers", "f", "message"), UNREAD)
def test_what_cannot_be_read_is_told(layers, f, message):
    answer = InProcess(adapt(f, activations=False, layers=layers))(PROBLEM)
    assert (answer.verdict, answer.message) == ("malformed", message)


def test_numbers_stand_in_their_order():
    seen = []
    problem = Problem([[[1.0, 2.0], [3.0, 4.0]]], biases=[[5.0, 6.0]], activations=["tanh"], x=[[1.0, 1.0]], y=[[0.0, 0.0]])

    def f(*given):
        seen.extend(float(number) for number in given[:6])
        return range(10, 16)

    answer = InProcess(adapt(f, activations=False, layers="numbers", weights="in_out"))(problem)
    assert seen == [1, 3, 2, 4, 5, 6]
    assert answer.verdict == "malformed"  # an array of integers
    answer = InProcess(adapt(lambda *given: [float(n) for n in range(10, 16)], activations=False, layers="numbers"))(problem).gradient
    assert answer.weights[0].tolist() == [[10, 11], [12, 13]]
    assert answer.biases[0].tolist() == [14, 15]


REFUSED = [
    ({"layers": "tree"}, "adapt: layers is 'tree': expected one of lists, pairs, dicts, dict, numbers, arguments"),
    ({"expected": "labels"}, "adapt: expected is 'labels': expected one of rows, class_index"),
    (
        {"layers": "dicts", "returns": "pairs"},
        "adapt: returns is 'pairs', but where layers is 'dicts' f answers in that form: leave it out, or 'updated'",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_is_no_form_is_refused(options, message):
    with pytest.raises(TargetError) as told:
        adapt(of_pairs, **options)
    assert str(told.value) == message


# ---- each array an argument of its own ----


def slopes_of_two(W1, b1, W2, b2, x, y):
    (dW1, dW2), (db1, db2) = derivatives([W1, W2], [b1, b2], x, y)
    return dW1, db1, dW2, db2


def updates_of_two(W1, b1, W2, b2, x, y, lr):
    return tuple(part - lr * slope for part, slope in zip((W1, b1, W2, b2), slopes_of_two(W1, b1, W2, b2, x, y), strict=True))


def updates_in_place_with_samples_first(x, y, lr, W1, b1, W2, b2):
    for part, slope in zip((W1, b1, W2, b2), slopes_of_two(W1, b1, W2, b2, x, y), strict=True):
        part -= lr * slope
    return 0.5  # the loss


def updates_of_weights_first(x, y, W1, W2, b1, b2, lr):
    W1, b1, W2, b2 = updates_of_two(W1, b1, W2, b2, x, y, lr)
    return 0.5, W1, W2, b1, b2


def slopes_without_biases(w_in, w_out, x, y):
    return derivatives([w_in, w_out], [None, None], x, y)[0]


SAMPLES_FIRST, UPDATED = {"order": "samples_first"}, {"returns": "updated", "learning_rate": "lr"}
ARGUMENTS = [
    (slopes_of_two, {}, "W1, b1, W2, b2: networks of 2 layers with biases"),
    (updates_of_two, UPDATED, "W1, b1, W2, b2: networks of 2 layers with biases"),
    (updates_in_place_with_samples_first, SAMPLES_FIRST | UPDATED, "W1, b1, W2, b2: networks of 2 layers with biases"),
    (updates_of_weights_first, SAMPLES_FIRST | UPDATED, "W1, W2, b1, b2: networks of 2 layers with biases"),
    (slopes_without_biases, {}, "w_in, w_out: networks of 2 layers without biases"),
]


@pytest.mark.parametrize(("f", "layout", "networks"), ARGUMENTS, ids=[row[0].__name__ for row in ARGUMENTS])
def test_arguments_of_their_own_are_adapted_and_their_networks_told(f, layout, networks):
    target = adapt(f, activations=False, layers="arguments", supports=ANY, **layout)
    assert target.notes[0] == f"f takes {networks} alone are posed"
    report = check(target, max_examples=10, seed=1, shrink_seconds=0)
    assert report.verdict == "right", str(report)


def test_a_wrong_derivative_among_arguments_is_told():
    def f(W1, b1, W2, b2, x, y):
        dW1, db1, dW2, db2 = slopes_of_two(W1, b1, W2, b2, x, y)
        return dW1, db1 / 2, dW2, db2

    report = check(adapt(f, activations=False, layers="arguments", supports=ANY), max_examples=10, seed=1, shrink_seconds=0)
    assert report.verdict == "wrong"
    assert report.findings[0].judgement.place.quantity == "biases"


def test_lists_may_come_after_the_samples():
    def f(x, y, weights, biases, activations):
        return derivatives(weights, biases, x, y)

    assert check(adapt(f, order="samples_first", supports=ANY), max_examples=10, seed=1, shrink_seconds=0).verdict == "right"
    answer = InProcess(adapt(f, supports=ANY))(PROBLEM)
    assert 'with order="samples_first" it answers' in answer.message


WAYS_IN = [
    (updates_of_two, {}, 'say activations=False, layers="arguments", returns="updated", learning_rate="lr"'),
    (updates_of_weights_first, UPDATED, 'say activations=False, order="samples_first", layers="arguments"'),
    (lambda weights, biases, x, y: None, {}, "say activations=False"),
    (lambda layers, x, y: None, {"activations": False}, 'say layers="pairs", or "dicts", or "dict"'),
    (lambda W1, b1, c, x, y: None, {"activations": False, "layers": "arguments"}, "expected names as W1, b1, W2, b2 or W1, W2, b1, b2"),
    (lambda x, y: None, {"activations": False, "layers": "arguments"}, "of the layers nothing is left beside x and y"),
]


@pytest.mark.parametrize(("f", "layout", "said"), WAYS_IN)
def test_what_cannot_be_called_so_is_told_the_way_in(f, layout, said):
    with pytest.raises(TargetError) as told:
        adapt(f, **layout)
    assert said in str(told.value)


def test_what_is_tried_after_an_error_leaves_the_problem_as_it_is():
    """Where biases are columns b[0][0] is a view, and adding to it would write to the problem: no fault of f."""

    def f(weights, biases, x, y):
        total = biases[0][0]
        total += 1.0
        raise OverflowError("math range error")

    problem = Problem([[[1.0]]], biases=[[0.5]], activations=["sigmoid"], x=[[1.0]], y=[[0.0]])
    answer = InProcess(adapt(f, activations=False, samples="one", supports={"activations": ["sigmoid"], "biases": True}))(problem)
    assert "OverflowError" in answer.message
    assert answer.changed == ()


def test_pairs_that_are_updated_may_be_written_to_as_lists():
    def f(layers, x, y, rate):
        weights, biases = [pair[0] for pair in layers], [pair[1] for pair in layers]
        dw, db = derivatives(weights, biases, x, y)
        for i, pair in enumerate(layers):
            layers[i][0] = pair[0] - rate * dw[i]
            layers[i][1] = pair[1] - rate * db[i]

    target = adapt(f, activations=False, layers="pairs", returns="updated", learning_rate="rate", supports=ANY | {"biases": True})
    assert check(target, max_examples=10, seed=1, shrink_seconds=0).verdict == "right"
