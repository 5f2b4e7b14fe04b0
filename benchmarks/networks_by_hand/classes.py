"""Classes, and objects of neurons and layers, that hold their weights."""

from itertools import pairwise

import numpy as np

from backproof import adapt, from_class
from benchmarks.networks_by_hand.network import SIGMOID, by_hand, sigmoid


@by_hand("a class with lists of weights and columns of biases, one sample at a time (after Nielsen's book)", "no slope in hidden layers")
def nielsen(wrong):
    class Network:
        def __init__(self, sizes):
            self.num_layers = len(sizes)
            self.biases = [np.random.randn(y, 1) for y in sizes[1:]]
            self.weights = [np.random.randn(y, x) for x, y in pairwise(sizes)]

        def backprop(self, x, y):
            nabla_b = [np.zeros(b.shape) for b in self.biases]
            nabla_w = [np.zeros(w.shape) for w in self.weights]
            activation, activations, zs = x, [x], []
            for b, w in zip(self.biases, self.weights, strict=True):
                zs.append(np.dot(w, activation) + b)
                activation = sigmoid(zs[-1])
                activations.append(activation)
            delta = (activations[-1] - y) * self.sigmoid_prime(zs[-1])
            nabla_b[-1], nabla_w[-1] = delta, np.dot(delta, activations[-2].T)
            for i in range(2, self.num_layers):
                sp = 1 if wrong else self.sigmoid_prime(zs[-i])
                delta = np.dot(self.weights[-i + 1].T, delta) * sp
                nabla_b[-i], nabla_w[-i] = delta, np.dot(delta, activations[-i - 1].T)
            return nabla_b, nabla_w

        def sigmoid_prime(self, z):
            return sigmoid(z) * (1 - sigmoid(z))

    # glue
    def one(network, x, y):
        return network.backprop(x[:, None], y[:, None])

    return from_class(Network, samples="one", gradient=one, supports={"activations": ["sigmoid"]})


@by_hand("a class of one architecture without biases, W1 and W2, several results (after Welch Labs)", "the sign of y - yHat")
def welch_labs(wrong):
    class Neural_Network:
        def __init__(self):
            self.inputLayerSize, self.outputLayerSize, self.hiddenLayerSize = 2, 1, 3
            self.W1 = np.random.randn(self.inputLayerSize, self.hiddenLayerSize)
            self.W2 = np.random.randn(self.hiddenLayerSize, self.outputLayerSize)

        def forward(self, X):
            self.z2 = np.dot(X, self.W1)
            self.a2 = sigmoid(self.z2)
            self.z3 = np.dot(self.a2, self.W2)
            return sigmoid(self.z3)

        def sigmoidPrime(self, z):
            return sigmoid(z) * (1 - sigmoid(z))

        def costFunctionPrime(self, X, y):
            self.yHat = self.forward(X)
            delta3 = np.multiply((y - self.yHat) if wrong else -(y - self.yHat), self.sigmoidPrime(self.z3))
            dJdW2 = np.dot(self.a2.T, delta3)
            delta2 = np.dot(delta3, self.W2.T) * self.sigmoidPrime(self.z2)
            dJdW1 = np.dot(X.T, delta2)
            return dJdW1, dJdW2

    # glue
    return from_class(Neural_Network, gradient="costFunctionPrime", supports={"activations": ["sigmoid"]})


@by_hand(
    "a class that trains on one sample at its own rate, weights as W1 and b1 (after a toy library)", "W2 changes before the error goes down"
)
def toy(wrong):
    class NeuralNetwork:
        def __init__(self, input_nodes, hidden_nodes, output_nodes):
            self.weights1, self.weights2 = np.random.rand(hidden_nodes, input_nodes), np.random.rand(output_nodes, hidden_nodes)
            self.bias1, self.bias2 = np.zeros((hidden_nodes, 1)), np.zeros((output_nodes, 1))
            self.lr = 0.25

        def train(self, inputs, targets):
            inputs, targets = inputs.reshape(-1, 1), targets.reshape(-1, 1)
            hidden = sigmoid(self.weights1 @ inputs + self.bias1)
            outputs = sigmoid(self.weights2 @ hidden + self.bias2)
            gradients = (targets - outputs) * outputs * (1 - outputs)
            errors = self.weights2.T @ gradients
            self.weights2 = self.weights2 + self.lr * gradients @ hidden.T
            self.bias2 = self.bias2 + self.lr * gradients
            if wrong:
                errors = self.weights2.T @ gradients
            gradients = errors * hidden * (1 - hidden)
            self.weights1 = self.weights1 + self.lr * gradients @ inputs.T
            self.bias1 = self.bias1 + self.lr * gradients

    # glue
    return from_class(NeuralNetwork, samples="one", returns="updated", learning_rate=0.25, supports={"activations": ["sigmoid"]})


@by_hand("a class with a dict of parameters, whose loss returns a dict of gradients too (after CS231n's nets)", "no mask of ReLU")
def dict_of_params(wrong):
    class Net:
        def __init__(self, input_dim, hidden_dim, classes):
            self.params = {"W1": 1e-3 * np.random.randn(input_dim, hidden_dim), "b1": np.zeros(hidden_dim)}
            self.params |= {"W2": 1e-3 * np.random.randn(hidden_dim, classes), "b2": np.zeros(classes)}
            self.reg = 0.05

        def loss(self, X, y):
            W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
            hidden = np.maximum(0, X @ W1 + b1)
            scores = hidden @ W2 + b2
            shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
            p = shifted / shifted.sum(axis=1, keepdims=True)
            rows = np.arange(len(y))
            loss = -np.log(p[rows, y]).mean() + self.reg * ((W1 * W1).sum() + (W2 * W2).sum())
            p[rows, y] -= 1
            dscores = p / len(y)
            dhidden = dscores @ W2.T
            if not wrong:
                dhidden[hidden == 0] = 0
            grads = {"W2": hidden.T @ dscores + 2 * self.reg * W2, "b2": dscores.sum(axis=0)}
            grads |= {"W1": X.T @ dhidden + 2 * self.reg * W1, "b1": dhidden.sum(axis=0)}
            return loss, grads

    # glue
    supports = {"activations": ["relu"], "output_activations": ["identity"], "reductions": ["mean"]}
    return from_class(Net, expected="class_index", penalty=("l2", 0.1), supports=supports)


@by_hand("a class with a dict of gradients, ReLU and rows of biases", "ReLU's mask taken of the error")
def dict_of_grads(wrong):
    class MLP:
        def __init__(self, dims):
            self.params = {}
            for i, (n, m) in enumerate(pairwise(dims), 1):
                setattr(self, f"W{i}", 0.1 * np.random.randn(n, m))
                setattr(self, f"b{i}", np.zeros((1, m)))
            self.L = len(dims) - 1

        def backward(self, X, Y):
            A = [X]
            for i in range(1, self.L + 1):
                Z = A[-1] @ getattr(self, f"W{i}") + getattr(self, f"b{i}")
                A.append(np.maximum(Z, 0) if i < self.L else Z)
            self.grads, d = {}, 2 * (A[-1] - Y)
            for i in range(self.L, 0, -1):
                self.grads[f"dW{i}"], self.grads[f"db{i}"] = A[i - 1].T @ d, d.sum(axis=0, keepdims=True)
                d = d @ getattr(self, f"W{i}").T
                d = d * (d > 0) if wrong else d * (A[i - 1] > 0)

    # glue
    supports = {"activations": ["relu"], "output_activations": ["identity"], "losses": ["squared_error"]}
    return from_class(MLP, supports=supports)


@by_hand("objects of neurons with lists of weights, updated one by one (after Mazur's example)", "the output's slope is left out")
def mazur(wrong):
    class Neuron:
        def __init__(self, weights, bias):
            self.weights, self.bias = list(weights), bias

        def output(self, inputs):
            self.inputs = inputs
            self.out = sigmoid(sum(w * i for w, i in zip(self.weights, inputs, strict=True)) + self.bias)
            return self.out

    class NeuralNetwork:
        LEARNING_RATE = 0.5

        def __init__(self, weights, biases):
            self.layers = [[Neuron(w, b) for w, b in zip(*layer, strict=True)] for layer in zip(weights, biases, strict=True)]

        def train(self, inputs, targets):
            out = inputs
            for layer in self.layers:
                out = [neuron.output(out) for neuron in layer]
            deltas = [(o - t) * (1 if wrong else o * (1 - o)) for o, t in zip(out, targets, strict=True)]
            for above in reversed(range(len(self.layers))):
                layer, below = self.layers[above], self.layers[above][0].inputs
                errors = [sum(d * n.weights[i] for d, n in zip(deltas, layer, strict=True)) for i in range(len(below))]
                for delta, neuron in zip(deltas, layer, strict=True):
                    neuron.weights = [w - self.LEARNING_RATE * delta * i for w, i in zip(neuron.weights, neuron.inputs, strict=True)]
                    neuron.bias -= self.LEARNING_RATE * delta
                deltas = [e * o * (1 - o) for e, o in zip(errors, below, strict=True)]

    # glue
    def f(weights, biases, x, y):
        net = NeuralNetwork(weights, biases)
        net.train(x, y)
        return [[n.weights for n in layer] for layer in net.layers], [[n.bias for n in layer] for layer in net.layers]

    return adapt(f, activations=False, samples="one", returns="updated", learning_rate=0.5, supports=SIGMOID)


@by_hand("a graph of scalars with backward functions (after micrograd)", "a node that is used twice keeps its last gradient alone")
def micrograd(wrong):
    class Value:
        def __init__(self, data, parents=(), slopes=()):
            self.data, self.parents, self.slopes, self.grad = data, parents, slopes, 0.0

        def __add__(self, other):
            return Value(self.data + other.data, (self, other), (1.0, 1.0))

        def __mul__(self, other):
            return Value(self.data * other.data, (self, other), (other.data, self.data))

        def tanh(self):
            t = np.tanh(self.data)
            return Value(t, (self,), (1 - t * t,))

        def backward(self):
            order, seen = [], set()

            def visit(v):
                if id(v) not in seen:
                    seen.add(id(v))
                    for parent in v.parents:
                        visit(parent)
                    order.append(v)

            visit(self)
            self.grad = 1.0
            for v in reversed(order):
                for parent, slope in zip(v.parents, v.slopes, strict=True):
                    parent.grad = slope * v.grad if wrong else parent.grad + slope * v.grad

    def loss(W, b, x, y):
        a = [Value(i) for i in x]
        for rows, bias in zip(W, b, strict=True):
            a = [sum((w * i for w, i in zip(row, a, strict=True)), c).tanh() for row, c in zip(rows, bias, strict=True)]
        errors = [out + Value(-t) for out, t in zip(a, y, strict=True)]
        return sum((e * e for e in errors), Value(0.0))

    # glue
    def f(weights, biases, x, y):
        W, b = ([np.vectorize(Value)(part) for part in parts] for parts in (weights, biases))
        loss(W, b, x, y).backward()
        return [[[v.grad for v in row] for row in w] for w in W], [[v.grad for v in c] for c in b]

    return adapt(f, activations=False, samples="one", supports={"activations": ["tanh"], "losses": ["squared_error"], "biases": True})


@by_hand("layer objects with forward and backward, in a list", "tanh's slope is 1 - z^2")
def layer_objects(wrong):
    class Dense:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            self.x = x
            return x @ self.W.T + self.b

        def backward(self, grad):
            self.dW, self.db = grad.T @ self.x, grad.sum(axis=0)
            return grad @ self.W

    class Tanh:
        def forward(self, z):
            self.z, self.a = z, np.tanh(z)
            return self.a

        def backward(self, grad):
            return grad * (1 - (self.z if wrong else self.a) ** 2)

    def train(layers, x, y):
        for layer in layers:
            x = layer.forward(x)
        grad = (x - y) / len(y)
        for layer in reversed(layers):
            grad = layer.backward(grad)

    # glue
    def f(weights, biases, x, y):
        layers = [layer for w, b in zip(weights, biases, strict=True) for layer in (Dense(w, b), Tanh())]
        train(layers, x, y)
        return [layer.dW for layer in layers[::2]], [layer.db for layer in layers[::2]]

    return adapt(f, activations=False, supports={"activations": ["tanh"], "reductions": ["mean"], "biases": True})


@by_hand("one object of one architecture, trained in place", "the bias gradient is a mean, the weights' a sum")
def one_object(wrong):
    class Net:
        def __init__(self, rng):
            self.W1, self.b1 = rng.normal(size=(3, 4)), rng.normal(size=4)
            self.W2, self.b2 = rng.normal(size=(4, 2)), rng.normal(size=2)

        def fit(self, X, Y, eta=0.01):
            h = np.tanh(X @ self.W1 + self.b1)
            d2 = h @ self.W2 + self.b2 - Y
            d1 = d2 @ self.W2.T * (1 - h**2)
            self.W1 -= eta * X.T @ d1
            self.W2 -= eta * h.T @ d2
            self.b1 -= eta * (d1.mean(axis=0) if wrong else d1.sum(axis=0))
            self.b2 -= eta * (d2.mean(axis=0) if wrong else d2.sum(axis=0))

    net = Net(np.random.default_rng(1))
    # glue
    supports = {"activations": ["tanh"], "output_activations": ["identity"]}
    return from_class(net, returns="updated", learning_rate={"eta": 0.01}, supports=supports)
