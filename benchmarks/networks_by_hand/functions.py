"""Functions that return derivatives: of columns, of dicts, with biases in the weights, of classes, of matrices."""

import numpy as np

from backproof import adapt
from benchmarks.networks_by_hand.network import SIGMOID, by_hand, sigmoid


@by_hand("Theta with the bias as first column, samples one by one, cross-entropy (after Ng's exercise in Octave)", "1/m is left out")
def octave(wrong):
    def nnCostFunction(Theta, X, y):
        m = len(X)
        grads = [np.zeros_like(T) for T in Theta]
        for t in range(m):
            a = [np.append(1, X[t])]
            for T in Theta[:-1]:
                a.append(np.append(1, sigmoid(T @ a[-1])))
            delta = sigmoid(Theta[-1] @ a[-1]) - y[t]
            for i in range(len(Theta) - 1, -1, -1):
                grads[i] += np.outer(delta, a[i])
                delta = (Theta[i].T @ delta * a[i] * (1 - a[i]))[1:]
        return grads if wrong else [g / m for g in grads]

    # glue
    supports = SIGMOID | {"losses": ["summed_binary_cross_entropy_of_probabilities"], "reductions": ["mean"]}
    return adapt(lambda W, b, x, y: nnCostFunction(W, x, y), activations=False, biases="folded_first", supports=supports)


@by_hand("a dict of parameters and one of gradients, samples as columns, cross-entropy (after Ng's course)", "db is not divided by m")
def parameters(wrong):
    def backward_propagation(parameters, X, Y):
        m = X.shape[1]
        W1, W2 = parameters["W1"], parameters["W2"]
        A1 = np.tanh(np.dot(W1, X) + parameters["b1"])
        A2 = sigmoid(np.dot(W2, A1) + parameters["b2"])
        dZ2 = A2 - Y
        dW2 = 1 / m * np.dot(dZ2, A1.T)
        db2 = (1 if wrong else 1 / m) * np.sum(dZ2, axis=1, keepdims=True)
        dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
        dW1 = 1 / m * np.dot(dZ1, X.T)
        db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
        return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}

    # glue
    supports = {"activations": ["tanh"], "depth": (2, 2), "biases": True}
    supports |= {"losses": ["summed_binary_cross_entropy_of_probabilities"], "reductions": ["mean"]}
    return adapt(backward_propagation, activations=False, layers="dict", samples="columns", biases="column", supports=supports)


@by_hand("one layer and class numbers (after CS231n's softmax)", "the true class is not subtracted")
def classes(wrong):
    def softmax_loss(W, X, y):
        scores = X.dot(W)
        scores -= scores.max(axis=1, keepdims=True)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        if not wrong:
            p[range(len(y)), y] -= 1
        return X.T.dot(p) / len(y)

    # glue
    supports = {"activations": ["identity"], "depth": 1, "biases": False, "reductions": ["mean"]}
    form = {"activations": False, "weights": "in_out", "expected": "class_index"}
    return adapt(lambda W, b, x, y: ([softmax_loss(W[0], x, y)], None), supports=supports, **form)


@by_hand("np.matrix and samples as columns", "1 - a for 1 - a^2")
def matrices(wrong):
    def gradients(W, b, X, Y):
        A = [np.matrix(X)]
        for w, c in zip(W, b, strict=True):
            A.append(np.tanh(np.matrix(w) * A[-1] + c))
        D, dW, db = A[-1] - Y, [], []
        for i in reversed(range(len(W))):
            slope = 1 - A[i + 1] if wrong else 1 - np.power(A[i + 1], 2)
            D = np.multiply(D, slope)
            dW.insert(0, D * A[i].T)
            db.insert(0, D.sum(axis=1))
            D = np.matrix(W[i]).T * D
        return dW, db

    # glue
    return adapt(gradients, activations=False, samples="columns", biases="column", supports={"activations": ["tanh"], "biases": True})


@by_hand("a list of layers' dicts that keep their gradients", "slope 1 where z < 0")
def dicts_of_layers(wrong):
    def backward(layers, x, y):
        for layer in layers:
            layer["x"] = x
            x = layer["a"] = np.maximum(x @ layer["W"] + layer["b"], 0.01 * (x @ layer["W"] + layer["b"]))
        error = x - y
        for layer in reversed(layers):
            delta = error * np.where(layer["a"] > 0, 1.0, 1.0 if wrong else 0.01)
            layer["dW"], layer["db"] = layer["x"].T @ delta, delta.sum(axis=0)
            error = delta @ layer["W"].T
        return layers

    # glue
    supports = {"activations": [("leaky_relu", {"slope": 0.01})], "biases": True}
    return adapt(backward, activations=False, layers="dicts", weights="in_out", supports=supports)


@by_hand("the backward pass of one layer, from any gradient above (after CS231n's layers)", "db is a mean")
def affine_backward(wrong):
    def affine_backward(dout, cache):
        x, w, _ = cache
        return dout.dot(w.T), x.T.dot(dout), dout.mean(axis=0) if wrong else dout.sum(axis=0)

    # glue
    def f(weights, biases, x, y):
        _, dw, db = affine_backward(y, (x, weights[0], biases[0]))
        return [dw], [db]

    supports = {"activations": ["identity"], "losses": ["upstream"], "depth": 1, "biases": True}
    return adapt(f, activations=False, weights="in_out", supports=supports)


@by_hand("pairs (W, b), softmax outputs and squared errors", "softmax's Jacobian taken as diagonal")
def softmax_outputs(wrong):
    def grad(params, x, y):
        a = [x]
        for i, (W, b) in enumerate(params):
            z = a[-1] @ W + b
            e = np.exp(z - z.max(axis=1, keepdims=True))
            a.append(e / e.sum(axis=1, keepdims=True) if i == len(params) - 1 else np.tanh(z))
        error, grads = a[-1] - y, []
        p = a[-1]
        delta = error * p * (1 - p) if wrong else p * (error - (p * error).sum(axis=1, keepdims=True))
        for i in reversed(range(len(params))):
            grads.insert(0, (a[i].T @ delta, delta.sum(axis=0)))
            delta = delta @ params[i][0].T * (1 - a[i] ** 2)
        return grads

    # glue
    supports = {"activations": ["tanh"], "output_activations": ["softmax"], "biases": True}
    return adapt(grad, activations=False, layers="pairs", weights="in_out", supports=supports)


@by_hand("loops over lists, without NumPy", "errors are not added up over the nodes above")
def loops(wrong):
    def gradients(W, b, xs, ys):
        dW, db = [[[0.0] * len(row) for row in w] for w in W], [[0.0] * len(c) for c in b]
        for x, y in zip(xs, ys, strict=True):
            a = [list(x)]
            for w, c in zip(W, b, strict=True):
                z = [sum(wi * ai for wi, ai in zip(row, a[-1], strict=True)) + ci for row, ci in zip(w, c, strict=True)]
                a.append([zi / (1 + abs(zi)) for zi in z])
            error = [ai - yi for ai, yi in zip(a[-1], y, strict=True)]
            for i in range(len(W) - 1, -1, -1):
                delta = [e * (1 - abs(o)) ** 2 for e, o in zip(error, a[i + 1], strict=True)]
                error = [0.0] * len(a[i])
                for j, d in enumerate(delta):
                    db[i][j] += d
                    for k in range(len(a[i])):
                        dW[i][j][k] += d * a[i][k]
                        error[k] = W[i][j][k] * d + (0 if wrong else error[k])
        return dW, db

    # glue
    return adapt(gradients, activations=False, supports={"activations": ["softsign"], "biases": True})


@by_hand("columns, the bias gradients first, ELU", "ELU's slope is 1 below zero")
def biases_first(wrong):
    def backprop(weights, biases, X, Y):
        A, Z = [X], []
        for w, b in zip(weights, biases, strict=True):
            Z.append(w @ A[-1] + b)
            A.append(np.where(Z[-1] > 0, Z[-1], np.expm1(np.minimum(Z[-1], 0))))
        nabla_b, nabla_w, D = [], [], A[-1] - Y
        for i in reversed(range(len(weights))):
            D = D * np.where(Z[i] > 0, 1.0, 1.0 if wrong else np.exp(np.minimum(Z[i], 0)))
            nabla_b.insert(0, D.sum(axis=1, keepdims=True))
            nabla_w.insert(0, D @ A[i].T)
            D = weights[i].T @ D
        return nabla_b, nabla_w

    # glue
    form = {"activations": False, "samples": "columns", "biases": "column", "returns": "biases_weights"}
    return adapt(backprop, supports={"activations": ["elu"], "biases": True}, **form)
