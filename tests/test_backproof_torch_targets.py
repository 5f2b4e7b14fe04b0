"""A torch module is a target as it is: its stack is found, proved on the forward pass, and judged; what is no stack is named."""

import copy
import math

import pytest

from backproof import Problem, TargetError, assert_right, check, verify
from backproof.targets.frameworks import target_of
from backproof.targets.target import InProcess, load_target

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
QUICK = {"max_examples": 4, "seed": 1, "shrink_seconds": 0}


class ByFunctions(nn.Module):
    """Functions and methods in a forward of its own, weights (out, in) and (in, out), biases added by hand."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(2, 5))
        self.a, self.b, self.v = nn.Linear(3, 4), nn.Linear(4, 2, bias=False), nn.Parameter(torch.randn(3, 5))
        self.row, self.vector = nn.Parameter(torch.randn(1, 5)), nn.Parameter(torch.randn(3))

    def forward(self, x):
        x = torch.tanh(self.a(x))
        x = F.leaky_relu(self.b(x), 0.2, inplace=True)
        x = self.row + x @ self.w
        x = torch.matmul(x.relu(), self.v.t())
        x += self.vector
        return F.elu(x.view(len(x), -1), 2.0)


class ByNumPy(torch.autograd.Function):
    """A layer that is computed outside of PyTorch."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return torch.from_numpy(x.detach().numpy() @ weight.detach().numpy().T + bias.detach().numpy())

    @staticmethod
    def backward(ctx, upstream):
        x, weight = ctx.saved_tensors
        return upstream @ weight, upstream.t() @ x, upstream.sum(0)


class Products(nn.Module):
    """A product by einsum, and one in NumPy."""

    def __init__(self):
        super().__init__()
        self.w, self.b, self.v = nn.Parameter(torch.randn(3, 4)), nn.Parameter(torch.randn(3)), nn.Linear(3, 2)

    def forward(self, x):
        x = torch.maximum(torch.einsum("bi,oi->bo", x, self.w) + self.b, torch.zeros((), dtype=x.dtype))
        return ByNumPy.apply(x, self.v.weight, self.v.bias)


class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 6), nn.GELU(), nn.Linear(6, 4))

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.layers(x)


class ByHand(nn.Module):
    """Activations that are written out: known by their values."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        z = self.a(x)
        z = self.b(z * torch.sigmoid(z))
        return self.c(torch.where(z > 0, z, 0.3 * z))


def linear_gelu(**mistakes):
    """A fused linear layer and GELU with a backward pass by hand, with mistakes or none."""

    class Fused(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias):
            z = F.linear(x, weight, bias)
            ctx.save_for_backward(x, weight, z)
            return F.gelu(z)

        @staticmethod
        def backward(ctx, upstream):
            x, weight, z = ctx.saved_tensors
            if "at_a" in mistakes:
                z = F.gelu(z)
            if "one_upstream" in mistakes:
                upstream = upstream.flatten()[0].expand_as(upstream)
            density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
            slope = torch.special.ndtr(z) + (0 if "half_a_slope" in mistakes else z * density)
            delta = upstream * slope
            bias = delta.mean(0) if "mean" in mistakes else delta.sum(0)
            return delta @ weight, delta.t() @ x, bias

    class LinearGELU(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.randn(outputs))

        def forward(self, x):
            return Fused.apply(x, self.weight, self.bias)

    return nn.Sequential(LinearGELU(3, 4), nn.Linear(4, 3))


FOUND = {
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)), "4, 5 tanh, 2 identity"),
    "modules of the table": (
        lambda: nn.Sequential(
            *(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.LeakyReLU(0.2), nn.Linear(2, 2), nn.ELU(0.5), nn.Linear(2, 2), nn.SELU()),
            *(nn.Linear(2, 2), nn.GELU("tanh"), nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 2), nn.Softsign(), nn.Linear(2, 2)),
            *(nn.ReLU6(), nn.Linear(2, 2), nn.Hardtanh(), nn.Linear(2, 2), nn.Softmax(dim=-1)),
        ),
        "2, 2 sigmoid, 2 leaky_relu (slope 0.2), 2 elu (alpha 0.5), 2 selu, 2 gelu_tanh, 2 softplus, 2 softsign, 2 relu6, 2 hardtanh, "
        "2 softmax",
    ),
    "what changes nothing": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False), nn.Identity(), nn.Dropout(0.0), nn.SiLU(), nn.Linear(2, 2)),
        "3, 2 silu without biases, 2 identity",
    ),
    "dropout in eval": (lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval(), "3, 2 identity"),
    "two linear layers": (lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), "3, 2 identity, 1 identity"),
    "in place": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2), nn.ELU(inplace=True)),
        "3, 4 relu, 2 elu",
    ),
    "one output as a vector": (lambda: forward_of(lambda net, x: net.c(net.a(x).relu_()).squeeze(-1)), "3, 3 relu, 1 identity"),
    "products": (Products, "4, 3 relu, 2 identity; known by the values of their outputs alone: layer 1, 2"),
    "functions": (ByFunctions, "3, 4 tanh, 2 leaky_relu (slope 0.2) without biases, 5 relu, 3 elu (alpha 2)"),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2))), "3, 2 relu, 2 identity"),
    "autocast": (Autocast, "3, 6 gelu, 4 identity"),
    "by hand": (ByHand, "3, 4 silu, 4 leaky_relu (slope 0.3), 2 identity; known by the values of their outputs alone: layer 1, 2"),
    "a function of autograd": (linear_gelu, "3, 4 gelu, 3 identity"),
}


@pytest.mark.parametrize(("make", "told"), FOUND.values(), ids=FOUND)
def test_the_stack_of_a_module_is_found_and_told(make, told):
    assert InProcess(target_of(make())).notes == (f"the stack that was found in it: {told}",)


class Normalised(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.first, self.parts = nn.Linear(3, 4), nn.ModuleList(parts)

    def forward(self, x):
        x = self.first(x)
        for part in self.parts:
            x = part(x)
        return x


def forward_of(function):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x):
            return function(self, x)

    return Own()


def twice(net, x):
    return net.a(torch.tanh(net.a(x)))


NO_STACK = "not a stack of linear layers and activations"
REFUSED = {
    "LayerNorm": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4)), f"Sequential: LayerNorm at 2: {NO_STACK}"),
    "BatchNorm": (lambda: Normalised(nn.BatchNorm1d(4)), f"Normalised: BatchNorm1d at parts.0: {NO_STACK}"),
    "a convolution": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2)), f"Sequential: Conv2d at 0: {NO_STACK}"),
    "an embedding": (
        lambda: nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)),
        "Sequential: Embedding at 0: RuntimeError: Expected tensor",
    ),
    "dropout": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.25)),
        "Sequential: Dropout at 1, with p=0.25 in training: it draws at random: call .eval() on the module, or set p to 0",
    ),
    "an activation that is not known": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Hardswish(), nn.Linear(4, 1)),
        f"Sequential: Hardswish at 1: {NO_STACK}",
    ),
    "two activations": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Tanh()),
        "Sequential: relu and tanh follow one another without a linear layer between them",
    ),
    "an activation first": (
        lambda: nn.Sequential(nn.Tanh(), nn.Linear(3, 4)),
        f"Sequential: it begins with tanh, before any linear layer: {NO_STACK}",
    ),
    "a residual": (lambda: forward_of(lambda net, x: net.b(x + torch.tanh(net.a(x)))), f"Own: add in the forward of Own: {NO_STACK}"),
    "a layer twice": (lambda: forward_of(twice), "Own: layer 2 has the parameters of layer 1: each must have its own"),
    "two outputs": (
        lambda: forward_of(lambda net, x: (net.a(x), net.b(x))),
        "Own: its forward returns a tuple: expected one tensor, (batch, outputs)",
    ),
    "no gradient": (
        lambda: forward_of(lambda net, x: torch.zeros(len(x), 3)),
        "Own: its output does not depend on its input by any gradient",
    ),
    "no linear layer": (nn.ReLU, "ReLU has no parameters: expected linear layers with activations between them"),
    "weights that are computed": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.Tanh()),
        f"Sequential: ParametrizedLinear at 0: {NO_STACK}",
    ),
    "TorchScript": (
        lambda: torch.jit.script(nn.Linear(2, 2)),
        "RecursiveScriptModule is a module of TorchScript, which cannot be followed: give the module that it was made of",
    ),
    "complex numbers": (
        lambda: nn.Linear(2, 2, dtype=torch.complex64),
        "Linear has parameters of torch.complex64 on cpu: expected float32",
    ),
    "an input of two dimensions is not what it takes": (
        lambda: forward_of(lambda net, x: net.a(x[:, :, 0])),
        "IndexError: too many indices for tensor of dimension 2 (asked with 32 samples of ours, each of shape (3,)): expected linear",
    ),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_such_stack_is_named(make, message):
    with pytest.raises(TargetError) as error:
        target_of(make())
    assert message in str(error.value)


def test_the_forward_pass_is_proved_and_the_layer_that_differs_first_is_named():
    module = forward_of(lambda net, x: net.b((lambda z: z * torch.sigmoid(1.702 * z))(net.a(x))))
    said = r"layer 1 is held for gelu(_tanh)?, and is the first that differs, \S+ for \S+ at \[\d+, \d+\] \(float32\)"
    with pytest.raises(TargetError, match=f"Own: its forward pass is not that of the stack that was found: {said}"):
        target_of(module)
    module = forward_of(lambda net, x: 1.001 * net.b(torch.tanh(net.a(x))))
    with pytest.raises(TargetError, match="layer 2 is held for identity, and is the first that differs"):
        target_of(module)


def test_what_is_compiled_is_called_and_proved_itself():
    compiled = torch.compile(FOUND["Sequential"][0](), backend="eager")
    assert target_of(compiled).notes == ("the stack that was found in it: 4, 5 tanh, 2 identity",)
    compiled.forward = lambda x: 1.01 * compiled._orig_mod(x)
    with pytest.raises(TargetError, match="layer 2 is held for identity, and is the first that differs"):
        target_of(compiled)


RIGHT = ["Sequential", "one output as a vector", "functions", "by hand", "a function of autograd"]


@pytest.mark.parametrize(
    ("name", "dtype"), [(RIGHT[0], "float32"), *((name, dtype) for name in RIGHT for dtype in ("float64", "bfloat16"))]
)
def test_a_right_module_passes(name, dtype):
    report = check(FOUND[name][0]().to(getattr(torch, dtype)), **QUICK)
    assert report.verdict in ("right", "lossy"), str(report)
    assert report.precision.split("/")[0] == dtype
    assert report.judged == QUICK["max_examples"]


def test_log_softmax_at_the_end_is_taken_into_the_loss():
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3), nn.LogSoftmax(dim=-1))
    report = check(module, **QUICK)
    assert report.passed, str(report)
    assert report.notes[:2] == (
        "the stack that was found in it: 3, 4 relu, 3 identity",
        "it ends in log_softmax, which is taken into the loss: softmax_cross_entropy alone is asked",
    )
    with pytest.raises(TargetError, match="LogSoftmax at 1: not a stack of linear layers and activations"):
        target_of(nn.Sequential(nn.Linear(3, 4), nn.LogSoftmax(dim=-1), nn.Linear(4, 3)))


def test_a_right_module_is_not_told_what_the_losses_of_pytorch_lose():
    report = check(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)), **(QUICK | {"max_examples": 30}))
    assert report.verdict == "right", str(report)


def test_softplus_is_wrong_beyond_its_threshold_and_right_below():
    """As PyTorch documents: beyond 20 it answers z, which is off by e^-20; float32 does not see it."""

    def verdict(z, threshold=20):
        target = target_of(nn.Sequential(nn.Linear(1, 1), nn.Softplus(threshold=threshold)).double())
        problem = Problem([[[1.0]]], biases=[[0.0]], activations=["softplus"], x=[[z]], y=[[0.5]])
        return verify(problem, target(problem)).verdict

    assert [verdict(19.0), verdict(21.0), verdict(21.0, 40)] == ["right", "wrong", "right"]


def test_autocast_passes_by_the_precision_that_it_computes_in():
    report = check(Autocast(), **QUICK)
    assert report.passed, str(report)
    assert report.precision == "bfloat16/float32/float32"


def test_a_compiled_module_passes():
    # the compiler of C++ that inductor starts takes a minute; this one has the same way through autograd
    report = check(torch.compile(FOUND["Sequential"][0](), backend="aot_eager"), **QUICK, batch=(2, 2))
    assert report.passed, str(report)


@pytest.mark.parametrize(
    ("mistake", "dtype"),
    [("at_a", "float64"), ("mean", "float32"), *((mistake, "bfloat16") for mistake in ("at_a", "half_a_slope", "mean", "one_upstream"))],
)
def test_a_mistake_in_a_function_of_autograd_is_found(mistake, dtype):
    report = check(linear_gelu(**{mistake: True}).to(getattr(torch, dtype)), **QUICK)
    assert report.verdict == "wrong", str(report)


def test_a_gradient_that_does_not_arrive_raises():
    module = forward_of(lambda net, x: net.b(torch.tanh(net.a(x)).detach()))
    finding = check(module, **QUICK).findings[0]
    assert finding.verdict == "raises"
    assert "layer 1: .grad of its weight is None after backward(): no gradient reaches it; the graph is cut" in finding.message
    assert ".detach()" in finding.message
    assert finding.cause is None


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.ReLU(), nn.Linear(4, 2)).eval()
    module[0].weight.requires_grad_(False)
    module(torch.randn(5, 3)).sum().backward()
    gradient = module[3].weight.grad
    state, gradients = copy.deepcopy(module.state_dict()), [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    drawn = torch.get_rng_state()
    assert_right(module, **QUICK)
    assert all(torch.equal(array, module.state_dict()[name]) for name, array in state.items())
    assert [p.requires_grad for p in module.parameters()] == [False, True, True, True]
    assert module[3].weight.grad is gradient
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(gradients, [p.grad for p in module.parameters()], strict=True))
    assert (module.training, torch.equal(drawn, torch.get_rng_state())) == (False, True)
    assert not module[0]._forward_hooks


def test_all_activations_have_a_module():
    from backproof.targets.torch_stack import KNOWN
    from oracles.torch_autograd import TORCH_ACTIVATIONS
    from reference.functions.parametrised import name_and_parameters

    class Called:
        def __init__(self, **given):
            self.given = given

        def argument(self, place, name, default):
            return self.given.get(name, default)

    calls = [Called(dim=1), Called(approximate="tanh"), Called()]
    known = {name_and_parameters(choice)[0] for make in KNOWN.values() for call in calls if (choice := make(call)) is not None}
    assert known | {"identity"} == set(TORCH_ACTIVATIONS)


SOURCE = """
import torch

model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))

def make(width=3):
    return torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, 2))

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = make()

    def forward(self, x):
        return self.layers(x)

class Sized(Network):
    def __init__(self, width):
        super().__init__()

def fails():
    raise RuntimeError("no weights here")
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("name", ["model", "make", "Network"])
def test_a_file_names_a_module_a_factory_or_a_class(file, name):
    target = target_of(load_target(f"{file}:{name}"))
    assert target.supports["widths"] == [2, 3, 2]


@pytest.mark.slow
def test_a_module_in_a_process_of_its_own(file):
    report = check(f"{file}:make", **QUICK)
    assert report.passed, str(report)
    assert "the stack that was found in it: 2, 3 relu, 2 identity" in report.notes
    assert "note: the stack that was found in it: 2, 3 relu, 2 identity" in str(report)


def test_a_class_itself_is_made(file):
    load_target(f"{file}:model")
    import network

    assert target_of(network.Network).supports["widths"] == [2, 3, 2]
    with pytest.raises(TargetError, match=r"^Sized\(\) cannot be made without arguments: TypeError: .* missing 1 required"):
        target_of(network.Sized)
    with pytest.raises(TargetError, match=r"^fails\(\) cannot be made without arguments: RuntimeError: no weights here .*expected a func"):
        target_of(network.fails)


def test_a_class_that_needs_arguments_is_told_what_to_write(file):
    with pytest.raises(TargetError, match=r"expected a module, or a function without arguments that makes one: write one that returns a S"):
        load_target(f"{file}:Sized")


def test_what_is_no_network_is_a_target_as_before():
    def target(problem):
        return None

    assert target_of(target) is target
    assert target_of(len) is len

    class Asked(nn.Module):
        supports = None

        def forward(self, problem):
            return problem

    module = Asked()
    assert target_of(module) is module
