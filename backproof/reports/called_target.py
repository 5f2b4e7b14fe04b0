"""The place of a stand-alone script where the target is called, as Python: by its import, as a module of torch, by JAX, or as a program."""

import ast
import shlex
from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from backproof.findings.finding import Finding
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

PROGRAM = """import json, subprocess

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
    start = {{"kind": "start", "protocol": 1, "precision": None, "time_limit": 10.0, "load_limit": 30.0}}
    line = {{"kind": "problem", "id": 1, "memory_layout": "contiguous", "widths": list(problem.widths), "batch": problem.batch}}
    line["problem"] = asked
    said = subprocess.run({command}, input=json.dumps(start) + "\\n" + json.dumps(line) + "\\n", text=True, capture_output=True).stdout
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


def called_target(finding: Finding) -> list[str]:
    """The lines of the marked place: they define gradient(problem), and import nothing of backproof."""
    return [RULE, *_said(finding.target), *_call(finding).splitlines(), RULE]


def _said(target: str) -> list[str]:
    lines = ["# YOUR FUNCTION: of a problem, whose arrays and names are below, it returns (list of dC/dW, list of dC/db)."]
    if _source(target) is not None and "backproof" in _imports(_source(target)):
        lines.append("# The file that is imported here imports backproof itself; without it, call your own function in its place.")
    return lines


def _call(finding: Finding) -> str:
    target, problem = finding.target, finding.problem
    if target.startswith("run: "):
        return PROGRAM.format(command=repr(shlex.split(target.removeprefix("run: "))))
    imported = _import(target)
    if not imported:
        return UNKNOWN
    tree = _source(target)
    made = _binding(tree, target.rpartition(":")[2]) if tree is not None else None
    if tree is not None and _has_a_kernel(tree) and not _takes_a_problem(made):
        by_hand = isinstance(made, ast.FunctionDef) and len(made.args.args) >= 4 and problem.loss == "upstream"
        return KERNEL.format(imported=imported) if by_hand else UNKNOWN
    name, parameters = name_and_parameters(problem.loss)
    plain = problem.sample_weights is None and problem.penalty is None
    if plain and isinstance(made, ast.Call) and _called(made) == "from_jax" and name in JAX_LOSSES:
        named = [argument.id for argument in made.args if isinstance(argument, ast.Name)]
        if len(named) == 2:
            loss = JAX_LOSSES[name].format(**{"delta": 1.0, **parameters})
            return JAX.format(imported=_import(target, dict(zip(named, ("network", "parameters"), strict=True))), loss=_mean(loss, problem))
    if plain and tree is not None and "torch" in _imports(tree) and _makes_a_network(tree, made) and name in TORCH_LOSSES:
        loss = TORCH_LOSSES[name].format(**{"delta": 1.0, **parameters})
        made_by = "" if isinstance(made, ast.Call) else "()"
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


def _source(target: str) -> ast.Module | None:
    """The file of a target as Python reads it; it is not run. None where there is none, or it cannot be read."""
    path = Path(target.rpartition(":")[0])
    try:
        return ast.parse(path.read_text(encoding="utf-8")) if path.suffix == ".py" and path.is_file() else None
    except (OSError, SyntaxError, ValueError):
        return None


def _imports(tree: ast.Module | None) -> set[str]:
    """The packages that a file imports, by their first names."""
    names: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _has_a_kernel(tree: ast.Module) -> bool:
    """Whether something in a file says which layer it is, as the `supports` of a kernel does."""
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    return any(isinstance(key, ast.Constant) and key.value == "layer" for key in keys)


def _takes_a_problem(made: ast.AST | None) -> bool:
    return isinstance(made, ast.FunctionDef) and len(made.args.args) == 1


def _binding(tree: ast.Module, name: str) -> ast.AST | None:
    """What a name of a file is bound to at last: a function, a class, or the expression."""
    bound: ast.AST | None = None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            bound = node
        elif isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            bound = node.value
    return bound


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""


def _makes_a_network(tree: ast.Module, made: ast.AST | None) -> bool:
    """Whether a name of a file that imports torch is a module, its class, or a function without arguments that makes one."""
    if isinstance(made, ast.FunctionDef):
        arguments = made.args
        return not (arguments.args or arguments.posonlyargs or arguments.vararg)
    if isinstance(made, ast.ClassDef):
        return not any(isinstance(one, ast.FunctionDef) and one.name == "__call__" for one in made.body)
    if isinstance(made, ast.Call):
        of = _binding(tree, _called(made))
        return _called(made) not in ("adapt", "from_class", "from_jax") and (not isinstance(of, ast.ClassDef) or _makes_a_network(tree, of))
    return False
