"""State that is kept from call to call, and graphs of scalars that are walked in the wrong order."""

import math

import numpy as np

from benchmarks.public_mistakes.pair import mistake

TANHS = {"activations": ["tanh", "identity"], "biases": True}


class Network:
    """Fully connected layers in an object, one sample at a time; gradients are kept in it."""

    def __init__(self, weights, biases, activations):
        self.weights, self.biases, self.activations = weights, biases, activations
        self.zero()

    def zero(self):
        self.dW = [np.zeros_like(w) for w in self.weights]
        self.db = [np.zeros_like(b) for b in self.biases]

    def forward(self, x):
        self.a = [x]
        for W, b, name in zip(self.weights, self.biases, self.activations, strict=True):
            z = W @ self.a[-1] + b
            self.a.append(np.tanh(z) if name == "tanh" else z)
        return self.a[-1]

    def backward(self, error):
        for i in reversed(range(len(self.weights))):
            if self.activations[i] == "tanh":
                error = error * (1 - self.a[i + 1] ** 2)
            self.dW[i] += np.outer(error, self.a[i])
            self.db[i] += error
            error = self.weights[i].T @ error


@mistake(
    "CodeProject article 1097336: dW is added to and never set to 0",
    supports=TANHS | {"widths": [2, 3, 1], "activations": ["tanh"]},
    keeps=True,
    verdicts=("wrong", "unstable"),
    textbook=("tanh",),
)
def never_set_to_zero(mended):
    kept = {}

    def gradient(problem):
        net = kept.setdefault("net", Network(problem.weights, problem.biases, problem.activations))
        net.weights, net.biases, net.activations = problem.weights, problem.biases, problem.activations
        if mended:
            net.zero()
        for x, y in zip(problem.x, problem.y, strict=True):
            net.backward(net.forward(x) - y)
        return [w.copy() for w in net.dW], [b.copy() for b in net.db]

    return gradient


@mistake(
    "Element-Research/rnn PR 32: a buffer is filled anew in each call, and the answer before is that buffer",
    supports=TANHS | {"widths": [3, 3, 2]},
    keeps=True,
    verdicts=("impure",),
    textbook=("tanh",),
)
def the_answer_is_a_buffer(mended):
    buffers = {}

    def gradient(problem):
        net = Network(problem.weights, problem.biases, problem.activations)
        for x, y in zip(problem.x, problem.y, strict=True):
            net.backward(net.forward(x) - y)
        if mended:
            return net.dW, net.db
        if not buffers:
            buffers["dW"], buffers["db"] = net.dW, net.db
        for name in ("dW", "db"):
            for buffer, array in zip(buffers[name], getattr(net, name), strict=True):
                buffer[...] = array
        return buffers["dW"], buffers["db"]

    return gradient


@mistake(
    "karpathy/llm.c PR 852: right for the first ten calls and wrong afterwards",
    supports=TANHS,
    keeps=True,
    verdicts=("wrong", "unstable"),
    textbook=("tanh",),
)
def right_for_ten_calls(mended):
    calls = [0]

    def gradient(problem):
        net = Network(problem.weights, problem.biases, problem.activations)
        for x, y in zip(problem.x, problem.y, strict=True):
            net.backward(net.forward(x) - y)
        calls[0] += 1
        if calls[0] > 10 and not mended:
            net.dW = [dW * 0.5 for dW in net.dW]
        return net.dW, net.db

    return gradient


@mistake(
    "fetchai/ledger 1469: the forward pass is cached until another input is set, whatever the weights became",
    supports=TANHS | {"batch": (1, 1)},
    keeps=True,
    verdicts=("wrong", "unstable"),
    textbook=("tanh",),
)
def cached_by_the_input(mended):
    cache = {}

    def gradient(problem):
        net = Network(problem.weights, problem.biases, problem.activations)
        key = problem.x.tobytes(), tuple(w.shape for w in problem.weights), problem.activations
        if mended or cache.get("key") != key:
            net.forward(problem.x[0])
            cache["key"], cache["a"] = key, net.a
        net.a = cache["a"]
        net.backward(net.a[-1] - problem.y[0])
        return net.dW, net.db

    return gradient


@mistake(
    "bshillingford/autobw.torch PR 7: adjoints are cached, so that the gradient is right the first time only",
    supports=TANHS | {"widths": [2, 2, 2], "activations": ["tanh"]},
    keeps=True,
    verdicts=("wrong", "unstable"),
    textbook=("tanh",),
)
def adjoints_of_the_first_call(mended):
    adjoints = {}

    def gradient(problem):
        W1, W2 = problem.weights
        b1, b2 = problem.biases
        a1 = np.tanh(problem.x @ W1.T + b1)
        a2 = np.tanh(a1 @ W2.T + b2)
        if mended:
            adjoints.clear()
        d2 = (a2 - problem.y) * (1 - a2**2)
        back = adjoints.setdefault("W2", W2.copy())
        d1 = d2 @ back * (1 - a1**2)
        return [d1.T @ problem.x, d2.T @ a1], [d1.sum(axis=0), d2.sum(axis=0)]

    return gradient


@mistake(
    "TheAlgorithms/Python PR 4037: back_propagation() takes its step in the weights themselves, here those of the caller",
    supports={"activations": ["sigmoid"], "widths": [2, 2, 1], "biases": True, "reductions": ["mean"]},
    verdicts=("impure",),
    textbook=("sigmoid",),
)
def trains_the_callers_weights(problem, mended):
    weights, biases = problem.weights, problem.biases
    if mended:
        weights, biases = [w.copy() for w in weights], [b.copy() for b in biases]
    hidden = 1 / (1 + np.exp(-(problem.x @ weights[0].T + biases[0])))
    output = 1 / (1 + np.exp(-(hidden @ weights[1].T + biases[1])))
    d2 = (output - problem.y) * output * (1 - output) / len(problem.x)
    d1 = d2 @ weights[1] * hidden * (1 - hidden)
    dW, db = [d1.T @ problem.x, d2.T @ hidden], [d1.sum(axis=0), d2.sum(axis=0)]
    for w, g in zip([*weights, *biases], [*dW, *db], strict=True):
        w -= 0.1 * g
    return dW, db


class Value:
    """A number in a graph of numbers, with the rule that gives its children their share of its gradient."""

    def __init__(self, data, children=(), shares=()):
        self.data, self.grad = float(data), 0.0
        self.children, self.shares = children, shares

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def tanh(self):
        t = math.tanh(self.data)
        return Value(t, (self,), (1 - t * t,))

    def give(self):
        for child, share in zip(self.children, self.shares, strict=True):
            child.grad += share * self.grad

    def backward(self):
        """In topological order: a node gives when it has all of its own."""
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for child in node.children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node.give()

    def backward_by_recursion(self):
        """Each child gives at once, what it has so far: a node with two parents gives the first parent's share twice."""
        self.give()
        for child in self.children:
            child.backward_by_recursion()


@mistake(
    "karpathy/micrograd 2, PR 64, 68, sebgao/cTensor 5: a recursive backward, wrong where a node is used twice",
    supports=TANHS | {"depth": (1, 2), "width": (1, 2), "batch": (1, 2)},
    textbook=("tanh",),
)
def backward_by_recursion(problem, mended):
    weights = [[[Value(w) for w in row] for row in W] for W in problem.weights]
    biases = [[Value(b) for b in bias] for bias in problem.biases]
    cost = Value(0.0)
    for x, y in zip(problem.x, problem.y, strict=True):
        a = [Value(number) for number in x]
        for W, b, name in zip(weights, biases, problem.activations, strict=True):
            z = [sum((w * number for w, number in zip(row, a, strict=True)), bias) for row, bias in zip(W, b, strict=True)]
            a = [number.tanh() for number in z] if name == "tanh" else z
        for output, wanted in zip(a, y, strict=True):
            error = output + Value(-wanted)
            cost = cost + Value(0.5) * (error * error)
    if mended:
        cost.backward()
    else:
        cost.grad = 1.0
        cost.backward_by_recursion()
    dW = [np.array([[w.grad for w in row] for row in W]) for W in weights]
    return dW, [np.array([b.grad for b in bias]) for bias in biases]
