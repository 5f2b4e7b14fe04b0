"""What a target's own file says of how it is called, so that its script can be written from what is saved alone."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NETWORK, FROM_JAX, KERNEL_BY_HAND, KERNEL_OF_A_FRAMEWORK = "network", "from_jax", "kernel by hand", "kernel of a framework"
"""What a name may be bound to, beside a function of a problem: a module of torch or what makes one, a call of backproof.from_jax, and one
layer by itself, as a function of x, weight, bias and upstream or as what a framework makes."""

OWN_WAYS = ("adapt", "from_class", FROM_JAX)


@dataclass(frozen=True)
class Source:
    """What a file says. imports: first names of packages; kind: one of those above, or ""; made: whether the name is bound to what a call
    returns; names: of what FROM_JAX was given, the function and its parameters."""

    imports: tuple[str, ...] = ()
    kind: str = ""
    made: bool = False
    names: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {"imports": list(self.imports), "kind": self.kind, "made": self.made, "names": list(self.names)}

    @staticmethod
    def of_data(data: Any) -> "Source":
        """What data() wrote. Raises KeyError and TypeError."""
        return Source(tuple(map(str, data["imports"])), str(data["kind"]), bool(data["made"]), tuple(map(str, data["names"])))


def source_of(target: str) -> Source | None:
    """What the file of a target says, which is read and not run. None where it is no file, or cannot be read."""
    module, _, name = target.rpartition(":")
    path = Path(module)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig")) if path.suffix == ".py" and path.is_file() else None
    except (OSError, SyntaxError, ValueError):
        return None
    if tree is None:
        return None
    imports, bound = _imports(tree), _binding(tree, name)
    if isinstance(bound, ast.Call) and _called(bound) == FROM_JAX:
        names = tuple(argument.id for argument in bound.args if isinstance(argument, ast.Name))
        return Source(imports, FROM_JAX, True, names)
    if _has_a_kernel(tree) and not (isinstance(bound, ast.FunctionDef) and len(bound.args.args) == 1):
        by_hand = isinstance(bound, ast.FunctionDef) and len(bound.args.args) >= 4
        return Source(imports, KERNEL_BY_HAND if by_hand else KERNEL_OF_A_FRAMEWORK, isinstance(bound, ast.Call))
    is_network = "torch" in imports and _makes_a_network(tree, bound)
    return Source(imports, NETWORK if is_network else "", isinstance(bound, ast.Call))


def _has_a_kernel(tree: ast.Module) -> bool:
    """Whether the `supports` of something in a file says which layer it is."""
    return any(_names_a_layer(tree, value) for node in ast.walk(tree) for value in _as_supports(node))


def _as_supports(node: ast.AST) -> Iterator[ast.AST]:
    """What a part of a file says to be somebody's `supports`: by an assignment, or as an argument of this name."""
    if isinstance(node, ast.keyword) and node.arg == "supports":
        yield node.value
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = (one.attr if isinstance(one, ast.Attribute) else one.id if isinstance(one, ast.Name) else "" for one in targets)
        if "supports" in names:
            yield node.value


def _names_a_layer(tree: ast.Module, value: ast.AST) -> bool:
    """Whether what stands for a `supports`, or what a name in it is bound to, has the key "layer"."""
    for node in ast.walk(value):
        if isinstance(node, ast.Dict) and any(isinstance(key, ast.Constant) and key.value == "layer" for key in node.keys):
            return True
        if isinstance(node, ast.Call) and any(one.arg == "layer" for one in node.keywords):
            return True
        bound = _binding(tree, node.id) if isinstance(node, ast.Name) else None
        if isinstance(bound, ast.Dict) and _names_a_layer(ast.Module([], []), bound):
            return True
    return False


def _imports(tree: ast.Module) -> tuple[str, ...]:
    """The packages that a file imports, by their first names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return tuple(sorted(names))


def _binding(tree: ast.Module, name: str) -> ast.AST | None:
    """What a name of a file is bound to at last: a function, a class, or the expression."""
    bound: ast.AST | None = None
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            bound = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Name) and one.id == name for one in targets):
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
        return _called(made) not in OWN_WAYS and (not isinstance(of, ast.ClassDef) or _makes_a_network(tree, of))
    return False
