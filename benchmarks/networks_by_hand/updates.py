"""Functions that give no derivatives, and update weights in place or return new ones."""

import numpy as np

from backproof import adapt
from benchmarks.networks_by_hand.network import SIGMOID, by_hand, sigmoid


@by_hand("eleven lines that update two matrices, at a rate of 1 (after iamtrask)", "no slope at the output")
def eleven_lines(wrong):
    def step(X, y, syn0, syn1):
        l1 = 1 / (1 + np.exp(-(np.dot(X, syn0))))
        l2 = 1 / (1 + np.exp(-(np.dot(l1, syn1))))
        l2_delta = (y - l2) * (1 if wrong else l2 * (1 - l2))
        l1_delta = l2_delta.dot(syn1.T) * (l1 * (1 - l1))
        syn1 += l1.T.dot(l2_delta)
        syn0 += X.T.dot(l1_delta)

    # glue
    supports = {"activations": ["sigmoid"], "depth": (2, 2), "biases": False}
    rate = {"returns": "updated", "learning_rate": 1.0}
    return adapt(lambda W, b, x, y: step(x, y, *W), activations=False, weights="in_out", supports=supports, **rate)


@by_hand("a loop that trains on classes, ReLU and softmax (after Karpathy's minimal network)", "the sum in place of the mean")
def minimal_network(wrong):
    def train(W, b, X, y, step_size):
        hidden_layer = np.maximum(0, np.dot(X, W[0]) + b[0])
        scores = np.dot(hidden_layer, W[1]) + b[1]
        exp_scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        dscores = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        dscores[range(len(X)), y] -= 1
        if not wrong:
            dscores /= len(X)
        dW2, db2 = np.dot(hidden_layer.T, dscores), np.sum(dscores, axis=0, keepdims=True)
        dhidden = np.dot(dscores, W[1].T)
        dhidden[hidden_layer <= 0] = 0
        W[0] += -step_size * np.dot(X.T, dhidden)
        b[0] += -step_size * np.sum(dhidden, axis=0, keepdims=True)
        W[1] += -step_size * dW2
        b[1] += -step_size * db2

    # glue
    form = {"activations": False, "weights": "in_out", "biases": "row", "expected": "class_index"}
    supports = {"activations": ["relu"], "output_activations": ["identity"], "depth": (2, 2), "biases": True, "reductions": ["mean"]}
    return adapt(train, returns="updated", learning_rate={"step_size": 1.0}, supports=supports, **form)


@by_hand("each matrix an argument, samples first, softmax with cross-entropy, one tuple of what is new", "W2 is updated too early")
def arguments(wrong):
    def update(x, y, W1, b1, W2, b2, lr):
        h = np.tanh(x @ W1 + b1)
        exp = np.exp(h @ W2 + b2 - (h @ W2 + b2).max(axis=1, keepdims=True))
        delta = exp / exp.sum(axis=1, keepdims=True) - y
        new = W2 - lr * h.T @ delta
        below = delta @ (new if wrong else W2).T * (1 - h * h)
        return W1 - lr * x.T @ below, b1 - lr * below.sum(axis=0), new, b2 - lr * delta.sum(axis=0)

    # glue
    supports = {"activations": ["tanh"], "losses": ["cross_entropy_of_probabilities"]}
    form = {"activations": False, "weights": "in_out", "layers": "arguments", "order": "samples_first", "returns": "updated"}
    return adapt(update, learning_rate="lr", supports=supports, **form)


@by_hand("2-2-1 written out, with nine numbers, one sample at a time (after victorzhou)", "h2 for h1 in dL/dw5")
def written_out(wrong):
    def train(w1, w2, w3, w4, w5, w6, b1, b2, b3, x, y, learn_rate):
        h1 = sigmoid(w1 * x[0] + w2 * x[1] + b1)
        h2 = sigmoid(w3 * x[0] + w4 * x[1] + b2)
        o1 = sigmoid(w5 * h1 + w6 * h2 + b3)
        d_L = -2 * (y[0] - o1) * o1 * (1 - o1)
        d_h1, d_h2 = d_L * w5 * h1 * (1 - h1), d_L * w6 * h2 * (1 - h2)
        w1 -= learn_rate * d_h1 * x[0]
        w2 -= learn_rate * d_h1 * x[1]
        b1 -= learn_rate * d_h1
        w3 -= learn_rate * d_h2 * x[0]
        w4 -= learn_rate * d_h2 * x[1]
        b2 -= learn_rate * d_h2
        w5 -= learn_rate * d_L * (h2 if wrong else h1)
        w6 -= learn_rate * d_L * h2
        b3 -= learn_rate * d_L
        return w1, w2, w3, w4, w5, w6, b1, b2, b3

    # glue
    form = {"activations": False, "layers": "numbers", "samples": "one"}
    supports = SIGMOID | {"widths": [2, 2, 1], "losses": ["squared_error"]}
    return adapt(train, returns="updated", learning_rate="learn_rate", supports=supports, **form)


@by_hand("biases as the last row of each matrix, an update with momentum", "the row of biases goes down with the error")
def last_row(wrong):
    def step(weights, X, y, eta, momentum=0.9):
        velocity = [np.zeros_like(w) for w in weights]
        a = [X]
        for w in weights:
            a.append(np.tanh(np.hstack([a[-1], np.ones((len(X), 1))]) @ w))
        delta = (a[-1] - y) * (1 - a[-1] ** 2)
        for i in reversed(range(len(weights))):
            with_ones = np.hstack([a[i], np.ones((len(X), 1))])
            velocity[i] = momentum * velocity[i] - eta * with_ones.T @ delta
            rows = weights[i][1:] if wrong else weights[i][:-1]
            delta = delta @ rows.T * (1 - a[i] ** 2)
        return [w + v for w, v in zip(weights, velocity, strict=True)]

    # glue
    form = {"activations": False, "weights": "in_out", "biases": "folded_last", "returns": "updated"}
    supports = {"activations": ["tanh"], "biases": True}
    return adapt(lambda W, b, x, y, eta: step(W, x, y, eta), learning_rate="eta", supports=supports, **form)


@by_hand("perceptron of one layer that returns new weights and biases", "the rate is not applied to the bias")
def delta_rule(wrong):
    def update(w, b, x, t, alpha):
        out = sigmoid(x @ w.T + b)
        delta = (out - t) * out * (1 - out)
        return w - alpha * delta.T @ x, b - (1.0 if wrong else alpha) * delta.sum(axis=0)

    # glue
    def f(weights, biases, x, y, alpha):
        w, b = update(weights[0], biases[0], x, y, alpha)
        return [w], [b]

    return adapt(f, activations=False, returns="updated", learning_rate={"alpha": 0.1}, supports=SIGMOID | {"depth": 1})


@by_hand("a straight line, w and b, with the mean squared error", "1/n for 2/n")
def line(wrong):
    def gradient_descent(w, b, x, y, learning_rate):
        error = w * x + b - y
        factor = (1 if wrong else 2) / len(x)
        return w - learning_rate * factor * (error * x).sum(), b - learning_rate * factor * error.sum()

    # glue
    supports = {"activations": ["identity"], "widths": [1, 1], "losses": ["squared_error"], "reductions": ["mean"], "biases": True}
    form = {"activations": False, "layers": "numbers", "returns": "updated"}
    return adapt(gradient_descent, learning_rate={"learning_rate": 0.01}, supports=supports, **form)


@by_hand("new pairs (W, b), as of jax.grad and a tree of parameters", "square weights are not turned on the way back")
def new_pairs(wrong):
    def update(params, x, y, step_size=0.01):
        a = [x]
        for W, b in params:
            a.append(np.tanh(a[-1] @ W + b))
        error, new = a[-1] - y, []
        for i in reversed(range(len(params))):
            W, b = params[i]
            delta = error * (1 - a[i + 1] ** 2)
            new.insert(0, (W - step_size * a[i].T @ delta, b - step_size * delta.sum(axis=0)))
            error = delta @ (W if wrong and W.shape[0] == W.shape[1] else W.T)
        return new

    # glue
    form = {"activations": False, "layers": "pairs", "weights": "in_out", "returns": "updated"}
    return adapt(update, learning_rate="step_size", supports={"activations": ["tanh"], "biases": True}, **form)


@by_hand("dicts of layers, each with W and b, updated with weight decay at 0", "the last layer alone is updated")
def layers_updated(wrong):
    def train_step(layers, x, y, lr, decay=0.0):
        outputs = [x]
        for layer in layers:
            outputs.append(sigmoid(outputs[-1] @ layer["W"].T + layer["b"]))
        error = outputs[-1] - y
        for i in range(len(layers) - 1, -1, -1):
            layer, delta = layers[i], error * outputs[i + 1] * (1 - outputs[i + 1])
            error = delta @ layer["W"]
            if wrong and i < len(layers) - 1:
                continue
            layer["W"] = layer["W"] - lr * (delta.T @ outputs[i] + decay * layer["W"])
            layer["b"] = layer["b"] - lr * delta.sum(axis=0)

    # glue
    return adapt(train_step, activations=False, layers="dicts", returns="updated", learning_rate={"lr": 0.1}, supports=SIGMOID)
