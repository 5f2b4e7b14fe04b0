"""An answer in another form is told by what it looks like, with the way out, and adapt reads it."""

import numpy as np
import pytest

from backproof import Gradient, Problem, adapt, check, gradient, verify
from backproof.runs import run

PROBLEM = Problem(
    [[[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]], [[1.5, -0.5, 1.0]]],
    biases=[[0.1, -0.2, 0.3], [0.5]],
    activations=["tanh", "identity"],
    x=[[1.0, 0.5], [0.25, -1.0], [0.5, 0.5], [2.0, 1.0]],
    y=[[0.0], [1.0], [0.5], [0.25]],
)
SMALLEST = Problem([[[1.0]]], biases=[[0.5]], activations=["tanh"], x=[[1.0]], y=[[0.0]])
SUPPORTS = {"losses": ["half_squared_error"], "reductions": ["sum"], "activations": ["tanh", "identity"], "biases": True}


@pytest.fixture(autouse=True)
def twenty_failures_suffice(monkeypatch):
    """What cannot be judged does not count for a run, which goes on for a hundred problems more."""
    monkeypatch.setattr(run, "FAILURES_THAT_END_A_RUN", 20)


def parts(problem):
    answer = gradient(problem)
    return list(answer.weights), list(answer.biases)


def swapped(problem):
    return parts(problem)[::-1]


def pairs(problem):
    return list(zip(*parts(problem), strict=True))


def tuple_of_pairs(problem):
    return tuple(map(list, pairs(problem)))


def by_turns(problem):
    return [array for pair in pairs(problem) for array in pair]


def folded_first(problem):
    return [np.hstack([b[:, None], w]) for w, b in pairs(problem)], None


def folded_last(problem):
    return [np.hstack([w, b[:, None]]) for w, b in pairs(problem)]


def folded_rows(problem):
    return [w.T for w in folded_last(problem)], None


def with_loss(problem):
    return float(gradient(problem).loss), parts(problem)


def triple(problem):
    return gradient(problem).loss, *parts(problem)


def a_dict(problem):
    return {"grads": parts(problem)[0]}


def columns(problem):
    dW, db = parts(problem)
    return dW, [b[:, None] for b in db]


def of_each_sample(problem):
    single = [parts(problem.replaced(x=x[None], y=y[None])) for x, y in zip(problem.x, problem.y, strict=True)]
    return [np.stack(w) for w in zip(*(dW for dW, _ in single), strict=True)], parts(problem)[1]


def transposed(problem):
    dW, db = parts(problem)
    return [w.T for w in dW], db


def pairs_of_columns(problem):
    return [(w, b[:, None]) for w, b in pairs(problem)]


TWO_LISTS = "return (list of dC/dW, list of dC/db)"
SEEN = [
    (swapped, f'it is (list of dC/db, list of dC/dW): {TWO_LISTS}, or say backproof.adapt(f, returns="biases_weights")'),
    (by_turns, f"it is one list, dC/dW and dC/db by turns, as of a model's parameters: {TWO_LISTS}"),
    (folded_first, 'say backproof.adapt(f, biases="folded_first") or biases="folded_last"'),
    (folded_last, "each dC/dW has one number more for each output than there are weights, as where the bias is folded into the weights"),
    (folded_rows, "as where the bias is folded into the weights: split it off as dC/db"),
    (with_loss, "it begins with the loss: return backproof.Gradient(list of dC/dW, list of dC/db, loss=...)"),
    (triple, "it begins with the loss: return backproof.Gradient("),
    (a_dict, f"it is a dict with the keys 'grads': {TWO_LISTS}, or a backproof.Gradient"),
    (columns, 'dC/db are columns or rows: return vectors, or say backproof.adapt(f, biases="column") or biases="row"'),
]
ONLY_LARGER = [
    (of_each_sample, "each dC/dW has one array for each sample: add them up"),
    (transposed, 'each dC/dW is transposed: return dW.T, or say backproof.adapt(f, weights="in_out")'),
]


@pytest.mark.parametrize("target", [pairs, tuple_of_pairs])
def test_pairs_by_layer_are_read_as_jax_grad_gives_them(target):
    for problem in (PROBLEM, SMALLEST):
        assert verify(problem, target(problem)).verdict == "right"
    doubled = [(2 * dW, db) for dW, db in target(PROBLEM)]
    assert verify(PROBLEM, doubled).verdict == "wrong"
    without = PROBLEM.replaced(biases=None)
    assert verify(without, [(dW, None) for dW in gradient(without).weights]).verdict == "right"
    columns_told = verify(PROBLEM, pairs_of_columns(PROBLEM)).reason
    assert "layer 1: dC/db has shape (3, 1), expected (3,)" in columns_told


NAMED = {
    "by letters": (lambda dW, db: {"W2": dW[1], "b2": db[1], "W1": dW[0], "b1": db[0]}),
    "derivatives by letters": (lambda dW, db: {"dW1": dW[0], "dW2": dW[1], "db1": db[0], "db2": db[1]}),
    "as torch names them": (lambda dW, db: {"0.weight": dW[0], "0.bias": db[0], "2.weight": dW[1], "2.bias": db[1]}),
    "within a block": (lambda dW, db: {"body.0.weight": dW[0], "body.0.bias": db[0], "body.10.weight": dW[1], "body.10.bias": db[1]}),
}


@pytest.mark.parametrize("form", NAMED.values(), ids=NAMED)
def test_a_dict_by_parameter_is_read(form):
    dW, db = parts(PROBLEM)
    assert verify(PROBLEM, form(dW, db)).verdict == "right"
    assert verify(PROBLEM, form(dW, [db[0], 2 * db[1]])).verdict == "wrong"
    without = PROBLEM.replaced(biases=None)
    assert verify(without, {"W1": gradient(without).weights[0], "W2": gradient(without).weights[1]}).verdict == "right"


def test_a_dict_whose_names_say_nothing_is_told_so():
    (w1, w2), (b1, b2) = parts(PROBLEM)
    for answer in ({"hidden": w1, "output": w2}, {"W1": w2, "W2": w1, "b1": b1, "b2": b2}, {"W1": w1, "W2": w2, "b1": b1}):
        judged = verify(PROBLEM, answer)
        assert judged.verdict == "malformed"
        assert f"it is a dict with the keys {', '.join(map(repr, answer))}: return (list of dC/dW, list of dC/db)" in judged.reason


@pytest.mark.parametrize(("target", "told"), [*SEEN, *ONLY_LARGER], ids=lambda row: getattr(row, "__name__", ""))
def test_another_form_is_named_with_the_way_out(target, told):
    judged = verify(PROBLEM, target(PROBLEM))
    assert judged.verdict == "malformed"
    assert told in judged.reason


@pytest.mark.parametrize(("target", "told"), SEEN, ids=lambda row: getattr(row, "__name__", ""))
def test_it_is_named_on_the_smallest_problem_too_which_is_what_a_finding_shows(target, told):
    assert told in verify(SMALLEST, target(SMALLEST)).reason


@pytest.mark.parametrize(("target", "told"), [*SEEN, *ONLY_LARGER], ids=lambda row: getattr(row, "__name__", ""))
def test_it_is_told_once(target, told):
    def asked(problem):
        return target(problem)

    asked.supports = SUPPORTS
    report = check(asked, max_examples=12, seed=1, shrink_seconds=2)
    (finding,) = [finding for finding in report.findings if finding.verdict == "malformed"]
    assert told in finding.message


@pytest.mark.parametrize("given", [Gradient([np.ones((2, 2)), np.ones((1, 3))]), ([None, None], None), ([[1.0]], 3), ((), ()), ()])
def test_of_what_looks_like_nothing_known_no_more_is_said(given):
    assert ";" not in verify(PROBLEM, given).reason


def network(weights, biases, activations, x, y):
    answer = gradient(Problem(weights, biases=biases, activations=activations, x=x, y=y))
    return list(answer.weights), list(answer.biases)


def with_first_column(weights, biases, activations, x, y):
    assert biases == [None] * len(weights)
    dW, db = network([w[:, 1:] for w in weights], [w[:, 0] for w in weights], activations, x, y)
    return [np.hstack([b[:, None], w]) for w, b in zip(dW, db, strict=True)], "whatever"


def with_last_column(weights, biases, activations, x, y):
    dW, db = network([w[:, :-1] for w in weights], [w[:, -1] for w in weights], activations, x, y)
    return [np.hstack([w, b[:, None]]) for w, b in zip(dW, db, strict=True)]


def with_first_row(weights, biases, activations, x, y):
    return [w.T for w in with_first_column([w.T for w in weights], biases, activations, x, y)[0]]


FOLDED = [
    ("first column", with_first_column, {"biases": "folded_first"}, "right"),
    ("last column, without a second list", with_last_column, {"biases": "folded_last"}, "right"),
    ("first row", with_first_row, {"biases": "folded_first", "weights": "in_out"}, "right"),
    ("the other end", with_first_column, {"biases": "folded_last"}, "wrong"),
]


@pytest.mark.parametrize(("f", "layout", "verdict"), [row[1:] for row in FOLDED], ids=[row[0] for row in FOLDED])
@pytest.mark.parametrize("biases", [True, None])
def test_a_folded_bias_is_adapted(f, layout, verdict, biases):
    report = check(adapt(f, supports={"biases": biases}, **layout), max_examples=15, seed=1, shrink_seconds=0)
    assert report.verdict == verdict


def in_pairs(*given):
    return list(zip(*network(*given), strict=True))


def in_wrong_order(*given):
    return network(*given)[::-1]


def triples(*given):
    return (*network(*given), [])


LAYOUTS_SEEN = [
    (in_pairs, {}, 'say backproof.adapt(f, returns="pairs")'),
    (in_wrong_order, {}, 'say backproof.adapt(f, returns="biases_weights")'),
    (network, {"returns": "biases_weights"}, "it is (list of dC/dW, list of dC/db)"),
    (network, {"returns": "pairs"}, "it is (list of dC/dW, list of dC/db)"),
    (triples, {}, "the answer of f cannot be read as returns='weights_biases' has it (ValueError: too many values to unpack"),
    (network, {"biases": "folded_first"}, "f answers dC/dW of the shapes [("),
]


@pytest.mark.parametrize(("f", "layout", "told"), LAYOUTS_SEEN, ids=lambda row: getattr(row, "__name__", str(row)[:30]))
def test_what_adapt_reads_in_another_form_is_named(f, layout, told):
    def asked(weights, biases, activations, x, y):
        # a network of our own takes its weights as vectors of the right length
        if "biases" in layout:
            return network([w[:, 1:] for w in weights], None, activations, x, y)
        return f(weights, biases, activations, x, y)

    report = check(adapt(asked, supports={"biases": True}, **layout), max_examples=10, seed=1, shrink_seconds=1)
    (finding,) = [finding for finding in report.findings if finding.verdict in ("malformed", "raises")]
    assert (finding.verdict, told in finding.message) == ("malformed", True), finding.message
