"""Sums and means over samples, and biases, which are summed over them too."""

import numpy as np

from benchmarks.public_mistakes.pair import mistake

RELUS = {"activations": ["relu"], "output_activations": ["identity"], "biases": True}
MEANS = RELUS | {"reductions": ["mean"]}


def layers_and_deltas(weights, biases, activations, x, y):
    """Rows are samples: the inputs of each layer, and dC/dz of the sum over samples, of half the squared error."""
    inputs = [x]
    for weight, bias, name in zip(weights, biases, activations, strict=True):
        z = inputs[-1].dot(weight.T) + bias
        inputs.append(np.maximum(z, 0) if name == "relu" else z)
    deltas = [inputs[-1] - y]
    for i in range(len(weights) - 1, 0, -1):
        deltas.insert(0, deltas[0].dot(weights[i]) * (inputs[i] > 0))
    return inputs[:-1], deltas


@mistake("kvfrans/notes 5: the bias gradient is a mean, the weight gradient a sum", supports=RELUS, layout={}, quantities=("biases",))
def bias_gradient_as_a_mean(weights, biases, activations, x, y, mended):
    inputs, deltas = layers_and_deltas(weights, biases, activations, x, y)
    dW = [d.T @ a for a, d in zip(inputs, deltas, strict=True)]
    return dW, [np.sum(d, axis=0) if mended else np.mean(d, axis=0) for d in deltas]


@mistake(
    "rasbt/stat453-deep-learning-ss21 5: softmax regression sums the bias gradient over all classes too",
    supports={"activations": ["identity"], "losses": ["softmax_cross_entropy"], "depth": (1, 1), "biases": True},
    quantities=("biases",),
    textbook=("softmax_cross_entropy",),
)
def one_sum_for_all_biases(problem, mended):
    (w,), (b,) = problem.weights, problem.biases
    z = problem.x @ w.T + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    probas = e / e.sum(axis=1, keepdims=True)
    grad_loss_wrt_w = -(problem.x.T @ (problem.y - probas)).T
    grad_loss_wrt_b = -np.sum(problem.y - probas, axis=0 if mended else None)
    return [grad_loss_wrt_w], [np.broadcast_to(grad_loss_wrt_b, b.shape).copy()]


@mistake(
    "mlpack/mlpack PR 3679: the bias gradient is the error of one sample, right for a batch of 1",
    supports=RELUS,
    layout={"samples": "columns", "biases": "column"},
    quantities=("biases",),
)
def bias_gradient_of_the_first_sample(weights, biases, activations, x, y, mended):
    inputs, deltas = layers_and_deltas(weights, [b.ravel() for b in biases], activations, x.T, y.T)
    errors = [d.T for d in deltas]
    dW = [error @ a for a, error in zip(inputs, errors, strict=True)]
    return dW, [error.sum(axis=1, keepdims=True) if mended else error[:, :1].copy() for error in errors]


@mistake(
    "SkalskiP/ILearnDeepLearning.py 29: 1/m in the loss's derivative and again in each layer",
    supports=MEANS,
    layout={"samples": "columns", "biases": "column"},
)
def divided_by_the_batch_twice(weights, biases, activations, x, y, mended):
    m = y.shape[1]
    memory, A_curr = {}, x
    for idx, (W, b, name) in enumerate(zip(weights, biases, activations, strict=True), 1):
        Z = np.dot(W, A_curr) + b
        memory[idx] = A_curr, Z
        A_curr = np.maximum(0, Z) if name == "relu" else Z
    dA = (A_curr - y) if mended else (A_curr - y) / m
    grads = {}
    for idx in range(len(weights), 0, -1):
        A_prev, Z = memory[idx]
        dZ = np.where(Z > 0, dA, 0) if activations[idx - 1] == "relu" else dA
        grads[f"dW{idx}"] = np.dot(dZ, A_prev.T) / m
        grads[f"db{idx}"] = np.sum(dZ, axis=1, keepdims=True) / m
        dA = np.dot(weights[idx - 1].T, dZ)
    order = range(1, len(weights) + 1)
    return [grads[f"dW{i}"] for i in order], [grads[f"db{i}"] for i in order]


@mistake(
    "deeplearning4j/deeplearning4j PR 366: biases are divided by the batch size twice",
    supports=MEANS,
    layout={},
    quantities=("biases",),
)
def biases_divided_twice(weights, biases, activations, x, y, mended):
    inputs, deltas = layers_and_deltas(weights, biases, activations, x, y)
    size = len(x)
    dW = [d.T @ a / size for a, d in zip(inputs, deltas, strict=True)]
    return dW, [d.mean(axis=0) / (1 if mended else size) for d in deltas]


@mistake("hunkim/DeepLearningZeroToAll 173: 1/batch is missing", supports=MEANS, layout={"weights": "in_out", "biases": "row"})
def not_divided_by_the_batch(weights, biases, activations, x, y, mended):
    inputs, deltas = layers_and_deltas([w.T for w in weights], [b[0] for b in biases], activations, x, y)
    n = x.shape[0] if mended else 1
    return [a.T @ d / n for a, d in zip(inputs, deltas, strict=True)], [d.sum(0, keepdims=True) / n for d in deltas]


@mistake(
    "ml-explore/mlx-lm PR 1413, pytorch/torchtune PR 1875, keras-team/keras 20241: the mean of the means of unequal micro-batches",
    supports=MEANS,
    layout={},
)
def mean_of_unequal_means(weights, biases, activations, x, y, mended, micro_batch=2):
    total = None
    starts = range(0, len(x), micro_batch)
    for start in starts:
        part = slice(start, start + micro_batch)
        inputs, deltas = layers_and_deltas(weights, biases, activations, x[part], y[part])
        count = len(x[part])
        weight = count / len(x) if mended else 1 / len(starts)
        means = [d.T @ a / count * weight for a, d in zip(inputs, deltas, strict=True)] + [d.mean(axis=0) * weight for d in deltas]
        total = means if total is None else [t + m for t, m in zip(total, means, strict=True)]
    return total[: len(weights)], total[len(weights) :]


@mistake("OpenNMT/OpenNMT-tf PR 988: divided by the batch size that was asked for, not the actual one", supports=MEANS, layout={})
def divided_by_a_constant_batch(weights, biases, activations, x, y, mended, batch_size=4):
    inputs, deltas = layers_and_deltas(weights, biases, activations, x, y)
    size = len(x) if mended else batch_size
    return [d.T @ a / size for a, d in zip(inputs, deltas, strict=True)], [d.sum(axis=0) / size for d in deltas]


@mistake("karpathy/convnetjs 17: the gradient is set to zero at each sample's backward, so that a batch has its last one's", supports=RELUS)
def gradient_of_the_last_sample(problem, mended):
    dW = [np.zeros_like(w) for w in problem.weights]
    db = [np.zeros_like(b) for b in problem.biases]
    for x, y in zip(problem.x, problem.y, strict=True):
        if not mended:
            for array in (*dW, *db):
                array[...] = 0.0
        inputs, deltas = layers_and_deltas(problem.weights, problem.biases, problem.activations, x[None], y[None])
        for i, (a, d) in enumerate(zip(inputs, deltas, strict=True)):
            dW[i] += np.outer(d[0], a[0])
            db[i] += d[0]
    return dW, db


@mistake("mattm/simple-neural-network 5: biases are never trained", supports=RELUS, layout={"returns": "pairs"}, quantities=("biases",))
def biases_never_trained(weights, biases, activations, x, y, mended):
    inputs, deltas = layers_and_deltas(weights, biases, activations, x, y)
    zeros = [np.zeros_like(b) for b in biases]
    db = [d.sum(axis=0) for d in deltas] if mended else zeros
    return [(d.T @ a, b) for a, d, b in zip(inputs, deltas, db, strict=True)]
