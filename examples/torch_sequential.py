"""A torch.nn.Sequential with PyTorch's own autograd: `backproof check examples/torch_sequential.py:gradient`."""

import torch

EXACT = {
    "identity": torch.nn.Identity,
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "hardtanh": torch.nn.Hardtanh,
}
SATURATING = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "silu": torch.nn.SiLU, "gelu": torch.nn.GELU}


class Sequential:
    """A target: it builds the module of a problem, and returns the gradient of its parameters."""

    def __init__(self, modules, dtype):
        self.modules, self.dtype = modules, dtype
        self.supports = {"activations": list(modules), "losses": ["half_squared_error", "mean_squared_error"]}

    def __call__(self, problem):
        network = torch.nn.Sequential()
        for weight, bias, name in zip(problem.weights, problem.biases, problem.activations, strict=True):
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=self.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight))
                if bias is not None:
                    linear.bias.copy_(torch.tensor(bias))
            network.extend([linear, self.modules[name]()])

        x, y = torch.tensor(problem.x, dtype=self.dtype), torch.tensor(problem.y, dtype=self.dtype)
        errors = (network(x) - y) ** 2
        losses = errors.sum(1) / 2 if problem.loss == "half_squared_error" else errors.mean(1)
        (losses.mean() if problem.reduction == "mean" else losses.sum()).backward()

        layers = [module for module in network if isinstance(module, torch.nn.Linear)]
        return [layer.weight.grad for layer in layers], [None if layer.bias is None else layer.bias.grad for layer in layers]


gradient = Sequential(EXACT, torch.float64)
gradient_float32 = Sequential(EXACT, torch.float32)
saturating = Sequential(SATURATING, torch.float64)  # right too, by formulas that lose digits where they saturate: lossy
