"""The place of a stand-alone script where the target is called, as Python: by its import, as a module of torch, by JAX, or as a program."""

from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from backproof.findings.finding import Finding
from backproof.findings.source import FROM_JAX, KERNEL_BY_HAND, KERNEL_OF_A_FRAMEWORK, NETWORK, Source
from backproof.targets.own_program import command_of, is_program
from backproof.targets.target import TargetError
from reference.functions.parametrised import name_and_parameters
from reference.problem import Problem

RULE = "# " + "-" * 98

TORCH_LOSSES = {
    "half_squared_error": "((a - y) ** 2).sum() / 2",
    "squared_error": "((a - y) ** 2).sum()",
    "mean_squared_error": "((a - y) ** 2).sum() / y.shape[1]",
    "half_mean_squared_error": "((a - y) ** 2).sum() / (2 * y.shape[1])",
    "upstream": "(y * a).sum()",
    "huber": "torch.nn.functional.huber_loss(a, y, reduction='sum', delta={delta!r}) / y.shape[1]",
    "softmax_cross_entropy": "torch.nn.functional.cross_entropy(a, y, reduction='sum')",
    "binary_cross_entropy_with_logits": "torch.nn.functional.binary_cross_entropy_with_logits(a, y, reduction='sum') / y.shape[1]",
    "summed_binary_cross_entropy_with_logits": "torch.nn.functional.binary_cross_entropy_with_logits(a, y, reduction='sum')",
    "cross_entropy_of_probabilities": "-torch.xlogy(y, a).sum()",
    "binary_cross_entropy_of_probabilities": "torch.nn.functional.binary_cross_entropy(a, y, reduction='sum') / y.shape[1]",
    "summed_binary_cross_entropy_of_probabilities": "torch.nn.functional.binary_cross_entropy(a, y, reduction='sum')",
}
"""Name of a loss -> its sum over samples, of a and y, in PyTorch."""

JAX_LOSSES = {name: text for name, text in TORCH_LOSSES.items() if "torch" not in text} | {
    "huber": "jax.numpy.where(abs(a - y) <= {delta!r}, (a - y) ** 2 / 2, {delta!r} * (abs(a - y) - {delta!r} / 2)).sum() / y.shape[1]",
    "softmax_cross_entropy": "-(y * jax.nn.log_softmax(a)).sum()",
    "binary_cross_entropy_with_logits": "-(y * jax.nn.log_sigmoid(a) + (1 - y) * jax.nn.log_sigmoid(-a)).sum() / y.shape[1]",
    "summed_binary_cross_entropy_with_logits": "-(y * jax.nn.log_sigmoid(a) + (1 - y) * jax.nn.log_sigmoid(-a)).sum()",
}
"""The same of a and y of JAX."""

TORCH = """import torch

{imported}

def gradient(problem):
    # W and b of each layer go to the parameters in their order, as torch.nn.Linear has them
    numbers = [one for layer in zip(problem.weights, problem.biases) for one in layer if one is not None]
    for parameter, number in zip(model.parameters(), numbers, strict=True):
        number = number if number.ndim == 1 or number.shape == tuple(parameter.shape) else number.T
        parameter.data = torch.tensor(np.array(number)).to(parameter.dtype).reshape(parameter.shape)
    dtype = next(model.parameters()).dtype
    x, y = torch.tensor(problem.x).to(dtype).requires_grad_(), torch.tensor(problem.y).to(dtype)
    a = model(x)
    model.zero_grad()
    loss = {loss}
    loss.backward()
    of = iter([parameter.grad.double().numpy() for parameter in model.parameters()])
    pairs = [(next(of), None if b is None else next(of).reshape(b.shape)) for b in problem.biases]
    weights = [dW if dW.shape == W.shape else dW.T for (dW, _), W in zip(pairs, problem.weights)]
    return SimpleNamespace(weights=weights, biases=[db for _, db in pairs], x=x.grad.numpy(), loss=loss.item())"""

JAX = """import jax

{imported}

def gradient(problem):
    leaves, tree = jax.tree_util.tree_flatten(parameters)
    matrices, vectors = iter(problem.weights), iter(b for b in problem.biases if b is not None)
    turned = [leaf.ndim == 2 and leaf.shape != W.shape for leaf, W in zip([one for one in leaves if one.ndim == 2], problem.weights)]
    turns = iter(turned)
    numbers = [(next(matrices).T if next(turns) else next(matrices)) if one.ndim == 2 else next(vectors) for one in leaves]
    y = problem.y
    def cost(values, x):
        a = network(values, x).reshape(y.shape)
        return {loss}
    values = jax.tree_util.tree_unflatten(tree, list(map(jax.numpy.asarray, numbers)))
    loss, (grads, x) = jax.value_and_grad(cost, argnums=(0, 1))(values, jax.numpy.asarray(problem.x))
    grads = jax.tree_util.tree_leaves(grads)
    dW = [g.T if turn else g for g, turn in zip([one for one in grads if one.ndim == 2], turned)]
    db = iter([one for one in grads if one.ndim == 1])
    return SimpleNamespace(weights=dW, biases=[None if b is None else next(db) for b in problem.biases], x=x, loss=loss)"""

PROGRAM = """import json, shutil, subprocess

COMMAND = {command}
if shutil.which(COMMAND[0]) is None:
    raise FileNotFoundError(COMMAND[0])

def gradient(problem):
    # the lines of backproof's protocol: a start, and one problem
    listed = lambda array: None if array is None else array.tolist()
    choice = lambda one: one if one is None or isinstance(one, str) else {{"name": one[0], **one[1]}}
    layers = [
        {{"activation": choice(g), "weights": listed(W), "biases": listed(b)}}
        for g, W, b in zip(problem.activations, problem.weights, problem.biases)
    ]
    asked = {{"schema": "backproof.problem", "version": 2, "layers": layers, "loss": choice(problem.loss), "reduction": problem.reduction,
             "wants": list(problem.wants)}}
    asked |= {{}} if problem.penalty is None else {{"penalty": choice(problem.penalty)}}
    asked |= {{"x": listed(problem.x), "y": listed(problem.y)}}
    asked |= {{}} if problem.sample_weights is None else {{"sample_weights": listed(problem.sample_weights)}}
    start = {{"kind": "start", "protocol": 1, "precision": None, "time_limit": {limit!r}, "load_limit": 30.0}}
    line = {{"kind": "problem", "id": 1, "memory_layout": "contiguous", "widths": list(problem.widths), "batch": problem.batch}}
    line["problem"] = asked
    said = subprocess.run(COMMAND, input=json.dumps(start) + "\\n" + json.dumps(line) + "\\n", text=True, capture_output=True).stdout
    answered = json.loads(said.splitlines()[-1])
    if answered["kind"] != "answer":
        raise RuntimeError(answered)
    layers = answered["gradient"]["layers"]
    return [layer["weights"] for layer in layers], [layer["biases"] for layer in layers]"""

KERNEL = """{imported}

kernel = gradient


def gradient(problem):
    # a kernel of one layer, on arrays of NumPy: of another framework hand it tensors of these
    dx, dweight, dbias = kernel(problem.x, problem.weights[0], problem.biases[0], problem.y)
    return SimpleNamespace(weights=[dweight], biases=[dbias], x=dx)"""

UNKNOWN = """def gradient(problem):
    raise NotImplementedError("call your function here; it returns (list of dC/dW, list of dC/db)")"""


def names_its_place(target: str) -> bool:
    """Whether a target's name says how it is called."""
    return bool(_command(target) if is_program(target) else _import(target))


def _command(target: str) -> list[str]:
    """The words of a program's command; none where its name cannot be split into words."""
    try:
        return command_of(target)
    except TargetError:
        return []


def called_target(finding: Finding) -> list[str]:
    """The lines of the marked place: they define gradient(problem), and import nothing of backproof."""
    return [RULE, *_said(finding), *_call(finding).splitlines(), RULE]


def needs(finding: Finding) -> str:
    """What must be installed for the script of a finding, in a sentence."""
    called = _call(finding)
    if called == UNKNOWN:
        return "It needs NumPy alone, and your function at the marked place."
    if is_program(finding.target):
        return "It needs NumPy alone, and the program that it starts."
    framework = " and PyTorch" if called.startswith("import torch") else " and JAX" if called.startswith("import jax") else ""
    if finding.source is not None and "backproof" in finding.source.imports:
        return f"It needs NumPy{framework}, and backproof, which the imported file needs: call your own function in its place without it."
    known = ": backproof is not among it" if finding.source is not None else ""
    return f"It needs NumPy{framework}, and what the imported file imports{known}."


def _said(finding: Finding) -> list[str]:
    lines = ["# YOUR FUNCTION: of a problem, whose arrays and names are below, it returns (list of dC/dW, list of dC/db)."]
    if finding.source is not None and "backproof" in finding.source.imports:
        lines.append("# The file that is imported here imports backproof itself; without it, call your own function in its place.")
    return lines


def _call(finding: Finding) -> str:
    target, problem = finding.target, finding.problem
    if is_program(target):
        return PROGRAM.format(command=repr(_command(target)), limit=finding.time_limit) if _command(target) else UNKNOWN
    imported = _import(target)
    if not imported:
        return UNKNOWN
    source = finding.source or Source()
    if source.kind in (KERNEL_BY_HAND, KERNEL_OF_A_FRAMEWORK):
        return KERNEL.format(imported=imported) if source.kind == KERNEL_BY_HAND and problem.loss == "upstream" else UNKNOWN
    name, parameters = name_and_parameters(problem.loss)
    plain = problem.sample_weights is None and problem.penalty is None
    if plain and source.kind == FROM_JAX and name in JAX_LOSSES and len(source.names) == 2:
        loss = JAX_LOSSES[name].format(**{"delta": 1.0, **parameters})
        names = dict(zip(source.names, ("network", "parameters"), strict=True))
        return JAX.format(imported=_import(target, names), loss=_mean(loss, problem))
    if plain and source.kind == NETWORK and name in TORCH_LOSSES:
        loss = TORCH_LOSSES[name].format(**{"delta": 1.0, **parameters})
        made_by = "" if source.made else "()"
        return TORCH.format(imported=f"{imported}\nmodel = gradient{made_by}", loss=_mean(loss, problem))
    return imported


def _mean(loss: str, problem: Problem) -> str:
    return f"({loss}) / len(y)" if problem.reduction == "mean" else loss


def _is_name(word: str) -> bool:
    return word.isidentifier() and not iskeyword(word)


def _import(target: str, names: Mapping[str, str] | None = None) -> str:
    """The lines that import the target as `gradient`, or some names of its module as others; "" where its name says no module."""
    module, _, function = target.rpartition(":")
    first, *attributes = function.split(".")
    if not module or not all(_is_name(part) for part in (first, *attributes)):
        return ""
    path, wanted = Path(module), names or {first: "gradient"}
    folder, module = (str(path.parent), path.stem) if module.endswith(".py") else ("", module)
    lines = [f"sys.path.insert(0, {folder!r})  # the folder that it is imported from"]
    if all(map(_is_name, module.split("."))):
        lines.append(f"from {module} import {', '.join(f'{name} as {alias}' for name, alias in wanted.items())}")
    else:
        lines += ["import importlib", *(f"{alias} = importlib.import_module({module!r}).{name}" for name, alias in wanted.items())]
    if attributes and not names:
        # a method needs an instance, as backproof makes one
        lines.append(f"gradient = (gradient() if isinstance(gradient, type) else gradient).{'.'.join(attributes)}")
    return "\n".join(lines)
