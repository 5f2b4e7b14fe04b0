"""PyTorch: functions with a backward of their own, modules that keep gradients, where() and detach()."""

import functools

import torch
from torch.nn import functional as F

from benchmarks.public_mistakes.pair import mistake

RELUS = {"activations": ["relu"], "output_activations": ["identity"], "biases": True}


def tensors(problem, dtype=torch.float64):
    weights = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in problem.weights]
    biases = [None if b is None else torch.tensor(b, dtype=dtype, requires_grad=True) for b in problem.biases]
    return weights, biases, torch.tensor(problem.x, dtype=dtype), torch.tensor(problem.y, dtype=dtype)


def gradients(problem, functions, loss=lambda a, y: 0.5 * ((a - y) ** 2).sum(), dtype=torch.float64):
    """dC/dW and dC/db by autograd. functions: by name, of z."""
    weights, biases, a, y = tensors(problem, dtype)
    for w, b, name in zip(weights, biases, problem.activations, strict=True):
        name, given = (name, {}) if isinstance(name, str) else name
        a = functions[name](F.linear(a, w, b), **given)
    loss(a, y).backward()
    return [w.grad for w in weights], [None if b is None else b.grad for b in biases]


def identity(z):
    return z


def autograd_function(forward, backward):
    """A torch.autograd.Function of one input that saves input and output."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, *rest):
            a = forward(z, *rest)
            ctx.save_for_backward(z, a)
            ctx.rest = rest
            return a

        @staticmethod
        def backward(ctx, grad_output):
            return (backward(grad_output, *ctx.saved_tensors, *ctx.rest), *[None] * len(ctx.rest))

    return Function.apply


@functools.cache
def huber(mended):
    def backward(grad_output, r):
        slope = torch.clamp(r, -1, 1)
        return slope * grad_output if mended else slope

    return autograd_function(lambda r: torch.where(r.abs() <= 1, 0.5 * r * r, r.abs() - 0.5), lambda g, r, a: backward(g, r))


@mistake(
    "chainer/chainer 1175: Huber's backward ignores the gradient that comes from above",
    supports=RELUS | {"losses": ["huber"]},
)
def huber_ignores_what_comes_from_above(problem, mended):
    def loss(a, y):
        each = huber(mended)(a - y).sum(dim=1) / a.shape[1]
        return each.mean() if problem.reduction == "mean" else each.sum()

    return gradients(problem, {"relu": torch.relu, "identity": identity}, loss)


@functools.cache
def relu(mended):
    def backward(grad_output, z, a):
        upstream = grad_output if mended else grad_output.reshape(-1)[0]
        return upstream * (z > 0)

    return autograd_function(lambda z: z.clamp(min=0), backward)


@mistake(
    "linkedin/Liger-Kernel 968, NVIDIA/TransformerEngine 1879: backward reads the first number of the gradient from above alone",
    supports=RELUS | {"depth": (2, 4)},
    layers="below the last",
)
def the_first_number_from_above(problem, mended):
    return gradients(problem, {"relu": relu(mended), "identity": identity})


@functools.cache
def leaky(mended):
    def backward(grad_output, z, a, slope):
        return torch.where((z if mended else a) > 0, grad_output, grad_output * slope)

    return autograd_function(lambda z, slope: torch.where(z > 0, z, z * slope), backward)


@mistake(
    "pytorch/pytorch 31938: leaky ReLU in place saves its output, whose sign says nothing where the slope is negative",
    supports={"activations": [("leaky_relu", {"slope": -0.5}), "identity"]},
)
def leaky_relu_in_place(problem, mended):
    return gradients(problem, {"leaky_relu": lambda z, slope: leaky(mended)(z, slope), "identity": identity})


@mistake(
    "salesforce/corr_based_prediction 1: zero_grad stands outside of the loop",
    supports=RELUS | {"widths": [3, 4, 2], "losses": ["mean_squared_error"], "reductions": ["mean"]},
    keeps=True,
    verdicts=("wrong", "unstable"),
)
def zero_grad_outside_of_the_loop(mended):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).double()
    linears = [model[0], model[2]]
    model.zero_grad()

    def gradient(problem):
        with torch.no_grad():
            for linear, w, b in zip(linears, problem.weights, problem.biases, strict=True):
                linear.weight.copy_(torch.tensor(w))
                linear.bias.copy_(torch.tensor(b))
        if mended:
            model.zero_grad()
        torch.nn.MSELoss()(model(torch.tensor(problem.x)), torch.tensor(problem.y)).backward()
        return [linear.weight.grad.clone() for linear in linears], [linear.bias.grad.clone() for linear in linears]

    return gradient


@mistake(
    "pytorch/pytorch 68425, 52248: NaN from the branch that where() does not take",
    supports={"activations": ["softplus", "identity"]},
    verdicts=("nonfinite",),
    textbook=("softplus",),
)
def nan_from_the_branch_not_taken(problem, mended):
    def softplus(z):
        inside = torch.where(z > 30, torch.zeros_like(z), z) if mended else z
        return torch.where(z > 30, z, torch.log1p(torch.exp(inside)))

    return gradients(problem, {"softplus": softplus, "identity": identity})


@mistake(
    "tinygrad's elu as relu(z) - relu(1 - exp(z)), NaN from z = 89 on in float32 (live when tried in 2026)",
    supports={"activations": ["elu", "identity"]},
    verdicts=("nonfinite", "wrong"),
    precision="float32",
    textbook=("elu",),
)
def elu_of_two_relus(problem, mended):
    def elu(z):
        return F.elu(z) if mended else torch.relu(z) - torch.relu(1 - torch.exp(z))

    return gradients(problem, {"elu": elu, "identity": identity}, dtype=torch.float32)


@mistake(
    "queenie88/A-GCN 4: a detach() too many, so that what lies below is not trained",
    supports=RELUS | {"depth": (2, 4)},
    layers="below the last",
)
def detached_before_the_last_layer(problem, mended):
    weights, biases, a, y = tensors(problem)
    for i, (w, b, name) in enumerate(zip(weights, biases, problem.activations, strict=True)):
        if i == len(weights) - 1 and not mended:
            a = a.detach()
        z = F.linear(a, w, b)
        a = F.relu(z) if name == "relu" else z
    (0.5 * (a - y).square().sum()).backward()
    zeros = [torch.zeros_like(t) if t.grad is None else t.grad for t in (*weights, *biases)]
    return zeros[: len(weights)], zeros[len(weights) :]


@mistake(
    "tensorflow/tensorflow 2462: cross-entropy of probabilities, not of logits: the gradient is 0 where a probability is rounded to 1",
    supports=RELUS | {"losses": ["binary_cross_entropy_with_logits"], "reductions": ["mean"]},
    precision="float32",
    textbook=("binary_cross_entropy_with_logits",),
)
def cross_entropy_of_probabilities(problem, mended):
    def loss(a, y):
        return F.binary_cross_entropy_with_logits(a, y) if mended else F.binary_cross_entropy(torch.sigmoid(a), y)

    return gradients(problem, {"relu": torch.relu, "identity": identity}, loss, torch.float32)
