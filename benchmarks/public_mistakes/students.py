"""Networks by hand as exercises ask for them: sigmoid and ReLU, samples as columns, layers in dicts, lists and objects."""

import numpy as np

from benchmarks.public_mistakes.pair import mistake


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def relu(z):
    return np.maximum(0, z)


SIGMOIDS = {"activations": ["sigmoid"], "biases": True}
COLUMNS = {"samples": "columns", "biases": "column"}


@mistake(
    "Bot-Academy/NeuralNetworkFromScratch PR 3: no sigmoid derivative at the output",
    supports=SIGMOIDS | {"depth": (2, 2)},
    layout={"samples": "one", "biases": "column", "returns": "pairs"},
    textbook=("sigmoid",),
)
def no_slope_at_the_output(weights, biases, activations, x, y, mended):
    w_i_h, w_h_o = weights
    b_i_h, b_h_o = biases
    img, label = x.reshape(-1, 1), y.reshape(-1, 1)
    h = sigmoid(b_i_h + w_i_h @ img)
    o = sigmoid(b_h_o + w_h_o @ h)
    delta_o = o - label
    if mended:
        delta_o = delta_o * (o * (1 - o))
    delta_h = w_h_o.T @ delta_o * (h * (1 - h))
    return [(delta_h @ img.T, delta_h), (delta_o @ h.T, delta_o)]


@mistake(
    "louisjc/mnist-neural-network 1, CodingTrain/Toy-Neural-Network-JS 72: weights updated before the error goes down",
    supports=SIGMOIDS | {"depth": (2, 4)},
    layout=COLUMNS,
    layers="below the last",
    textbook=("sigmoid",),
)
def updated_before_the_error_goes_down(weights, biases, activations, x, y, mended, learning_rate=0.1):
    weights = [w.copy() for w in weights]
    outputs = [x]
    for w, b in zip(weights, biases, strict=True):
        outputs.append(sigmoid(w @ outputs[-1] + b))
    error = outputs[-1] - y
    gradients, bias_gradients = [], []
    for i in range(len(weights) - 1, -1, -1):
        delta = error * outputs[i + 1] * (1 - outputs[i + 1])
        gradients.append(delta @ outputs[i].T)
        bias_gradients.append(delta.sum(axis=1, keepdims=True))
        if mended:
            error = weights[i].T @ delta
            weights[i] -= learning_rate * gradients[-1]
        else:
            weights[i] -= learning_rate * gradients[-1]
            error = weights[i].T @ delta
    return gradients[::-1], bias_gradients[::-1]


@mistake(
    "bighuang624/Andrew-Ng-Deep-Learning-notes 10: dW2 times 2 and db1 by 4/m, left in the gradient checking exercise",
    supports={
        "activations": ["relu"],
        "output_activations": ["identity"],
        "losses": ["binary_cross_entropy_with_logits"],
        "reductions": ["mean"],
        "biases": True,
        "widths": [4, 5, 3, 1],
    },
    layout=COLUMNS,
    layers="below the last",
    textbook=("binary_cross_entropy_with_logits",),
)
def dw2_doubled_and_db1_times_four(weights, biases, activations, x, y, mended):
    W1, W2, W3 = weights
    b1, b2, b3 = biases
    m = x.shape[1]
    Z1 = np.dot(W1, x) + b1
    A1 = relu(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = relu(Z2)
    A3 = sigmoid(np.dot(W3, A2) + b3)

    dZ3 = A3 - y
    dW3 = 1.0 / m * np.dot(dZ3, A2.T)
    db3 = 1.0 / m * np.sum(dZ3, axis=1, keepdims=True)
    dZ2 = np.multiply(np.dot(W3.T, dZ3), np.int64(A2 > 0))
    dW2 = 1.0 / m * np.dot(dZ2, A1.T) * (1 if mended else 2)
    db2 = 1.0 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.multiply(np.dot(W2.T, dZ2), np.int64(A1 > 0))
    dW1 = 1.0 / m * np.dot(dZ1, x.T)
    db1 = (1.0 if mended else 4.0) / m * np.sum(dZ1, axis=1, keepdims=True)
    return [dW1, dW2, dW3], [db1, db2, db3]


@mistake(
    "rust0258's NLP specialization 64: relu(error) in place of error relu'(z)",
    supports={"activations": ["relu"], "output_activations": ["identity"], "depth": (2, 2), "biases": True},
    layout=COLUMNS,
    layers="below the last",
)
def relu_of_the_error(weights, biases, activations, x, y, mended):
    W1, W2 = weights
    b1, b2 = biases
    z1 = W1 @ x + b1
    h = relu(z1)
    yhat = W2 @ h + b2
    l1 = W2.T @ (yhat - y)
    if mended:
        l1[z1 < 0] = 0
    else:
        l1 = relu(l1)
    return [l1 @ x.T, (yhat - y) @ h.T], [l1.sum(axis=1), (yhat - y).sum(axis=1)]


@mistake(
    "rust0258's NLP specialization 62: the bias gradient as row sums of dC/dW",
    supports={"activations": ["relu"], "output_activations": ["identity"], "depth": (2, 2), "biases": True},
    layout=COLUMNS,
    quantities=("biases",),
)
def bias_gradient_from_row_sums_of_dw(weights, biases, activations, x, y, mended):
    W1, W2 = weights
    b1, b2 = biases
    h = relu(W1 @ x + b1)
    d2 = W2 @ h + b2 - y
    d1 = W2.T @ d2 * (h > 0)
    grad_W1, grad_W2 = d1 @ x.T, d2 @ h.T
    if mended:
        return [grad_W1, grad_W2], [np.sum(d1, axis=1, keepdims=True), np.sum(d2, axis=1, keepdims=True)]
    return [grad_W1, grad_W2], [np.sum(grad_W1, axis=1, keepdims=True), np.sum(grad_W2, axis=1, keepdims=True)]


@mistake(
    "ujjwalkarn/Machine-Learning-Tutorials PR 16: deltas without the derivative of the activation",
    supports={"activations": ["tanh"], "output_activations": ["identity"], "biases": False, "depth": (2, 5)},
    layers="below the last",
    textbook=("tanh",),
)
def deltas_without_slopes(problem, mended):
    y = [problem.x]
    for n, w in enumerate(problem.weights):
        e = y[-1] @ w.T
        y.append(e if n == len(problem.weights) - 1 else np.tanh(e))
    delta = y[-1] - problem.y
    out = []
    for n in reversed(range(len(problem.weights))):
        out.insert(0, delta.T @ y[n])
        delta = delta @ problem.weights[n]
        if mended:
            delta = delta * (1 - y[n] ** 2)
    return out, None


@mistake(
    "jeffheaton/encog-java-core 243: the activation's derivative is that of the layer below",
    supports={"activations": ["identity", "sigmoid", "tanh", "relu"]},
    textbook=("sigmoid", "tanh"),
)
def slope_of_the_layer_below(problem, mended):
    functions = {
        "identity": (lambda z: z, lambda z, a: np.ones_like(z)),
        "sigmoid": (sigmoid, lambda z, a: a * (1 - a)),
        "tanh": (np.tanh, lambda z, a: 1 - a * a),
        "relu": (relu, lambda z, a: (z > 0) * 1.0),
    }
    layer_output, sums = [problem.x], []
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        total = layer_output[-1] @ weight.T + (0 if bias is None else bias)
        sums.append(total)
        layer_output.append(functions[name][0](total))
    delta = layer_output[-1] - problem.y
    weight_gradients, bias_gradients = [], []
    for level in reversed(range(len(problem.weights))):
        chosen = problem.activations[level if mended else max(level - 1, 0)]
        delta = delta * functions[chosen][1](sums[level], layer_output[level + 1])
        weight_gradients.append(np.einsum("sj,sk->jk", delta, layer_output[level]))
        bias_gradients.append(delta.sum(0))
        delta = delta @ problem.weights[level]
    return weight_gradients[::-1], bias_gradients[::-1]


@mistake(
    "ralampay/ann PR 22: each hidden layer's gradient takes the input layer's values",
    supports={"activations": ["sigmoid", "identity"], "width": (3, 3), "depth": (1, 4), "biases": True},
    quantities=("weights",),
    textbook=("sigmoid",),
)
def inputs_of_the_first_layer_everywhere(problem, mended):
    layers = [problem.x]
    for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
        z = layers[-1] @ weight.T + bias
        layers.append(sigmoid(z) if name == "sigmoid" else z)
    error = layers[-1] - problem.y
    dW, db = [None] * len(problem.weights), [None] * len(problem.weights)
    for i in range(len(problem.weights) - 1, -1, -1):
        if problem.activations[i] == "sigmoid":
            error = error * layers[i + 1] * (1 - layers[i + 1])
        z_activated_values = layers[i] if mended else layers[0]
        dW[i] = error.T.dot(z_activated_values)
        db[i] = error.sum(axis=0)
        error = error.dot(problem.weights[i])
    return dW, db


@mistake(
    "iamtrask/Grokking-Deep-Learning 23: the outer product of input and delta, not of delta and input",
    supports={"activations": ["identity"], "depth": (1, 1), "width": (3, 3), "batch": (1, 1), "biases": False},
    layout={"samples": "one"},
    quantities=("weights",),
)
def outer_product_turned(weights, biases, activations, x, y, mended):
    prediction = [sum(w * i for w, i in zip(row, x, strict=True)) for row in weights[0]]
    delta = [p - t for p, t in zip(prediction, y, strict=True)]

    def outer_prod(a, b):
        out = np.zeros((len(a), len(b)))
        for i in range(len(a)):
            for j in range(len(b)):
                out[i][j] = a[i] * b[j]
        return out

    return [outer_prod(delta, x) if mended else outer_prod(x, delta)], None


@mistake(
    "iamtrask/Grokking-Deep-Learning 37: layer_2_delta is walk_vs_stop - layer_2, right with += only",
    supports={"activations": ["relu"], "output_activations": ["identity"], "widths": [3, 4, 1], "biases": False},
)
def the_step_in_place_of_the_gradient(problem, mended):
    weights_0_1, weights_1_2 = (w.T for w in problem.weights)
    layer_1 = relu(np.dot(problem.x, weights_0_1))
    layer_2 = np.dot(layer_1, weights_1_2)
    layer_2_delta = layer_2 - problem.y if mended else problem.y - layer_2
    # right, if the slope is taken at the output: relu(x) > 0 where x > 0, which people doubt (issue 56 of the same book)
    layer_1_delta = layer_2_delta.dot(weights_1_2.T) * (layer_1 > 0)
    return [layer_1_delta.T.dot(problem.x), layer_2_delta.T.dot(layer_1)], None


@mistake(
    "sausheong/gonn 8: the sigmoid's derivative as s - (1 - s), as the text beside the code has it",
    supports={"activations": ["sigmoid"], "widths": [2, 2, 1], "biases": True},
    layout={"samples": "one", "returns": "biases_weights"},
    textbook=("sigmoid",),
)
def number_by_number(weights, biases, activations, x, y, mended):
    (w1, w2), (w3, w4) = weights[0]
    ((w5, w6),) = weights[1]
    (b1, b2), (b3,) = biases
    i1, i2 = x

    def derivative(s):
        return s * (1 - s) if mended else s - (1 - s)

    h1 = sigmoid(w1 * i1 + w2 * i2 + b1)
    h2 = sigmoid(w3 * i1 + w4 * i2 + b2)
    o1 = sigmoid(w5 * h1 + w6 * h2 + b3)
    do1 = (o1 - y[0]) * derivative(o1)
    dh1, dh2 = do1 * w5 * derivative(h1), do1 * w6 * derivative(h2)
    hidden = np.array([[dh1 * i1, dh1 * i2], [dh2 * i1, dh2 * i2]])
    return [np.array([dh1, dh2]), np.array([do1])], [hidden, np.array([[do1 * h1, do1 * h2]])]
