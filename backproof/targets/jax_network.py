"""A network of JAX as a target: a function of parameters and samples, and the parameters as any tree of arrays."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backproof.targets.stack import TRIES, Stack, Undecided, activations_of, drawn, drawn_inputs, proved, without_cross_entropies
from backproof.targets.target import Target, TargetError, told_of
from oracles.jax_autodiff import JAX_LOSSES
from properties.answers.answer import without_counted_terms
from properties.problems.limits import SupportError
from reference.arrays import AnyArray, Array
from reference.dtypes import DTYPES, as_array
from reference.errors import ProblemError
from reference.functions.activations import ACTIVATIONS
from reference.functions.expected_outputs import rows_of_classes
from reference.functions.parametrised import Choice, name_and_parameters, normal_choice
from reference.gradient import Gradient
from reference.problem import Problem
from rounding.precisions import PRECISIONS

EXPECTED = "expected for each layer a matrix, and a vector or none: [(W, b), ...], {'Dense_0': {'kernel': W, 'bias': b}, ...} or so"


def from_jax(apply: Callable[..., Any], params: Any, *, activations: Sequence[Any] | None = None) -> Target:
    """A target from a network of JAX: apply(params, x) gives the outputs (batch, n_L) of samples x (batch, n_0), or those of one sample.

    params: a tree of arrays, a matrix and a vector or none for each layer, in lists, tuples, dicts (Flax's) or objects that JAX knows as
    trees (Equinox's); matrices (out, in) or (in, out). Other leaves, such as functions, are left alone. apply may be compiled and have
    derivatives of its own: the gradient is jax.grad's. activations: of each layer; found by the values of the outputs where not said.
    The stack is proved on the forward pass. Raises TargetError.
    """
    return JaxNetwork(apply, params, activations)


class _Layer:
    """Where a layer's parameters stand among the leaves, weight and bias or None."""

    def __init__(self, weight: int, bias: int | None) -> None:
        self.weight, self.bias = weight, bias


class JaxNetwork:
    """A target: see from_jax. supports and precision: as any target has them; notes: what was found."""

    def __init__(self, apply: Callable[..., Any], params: Any, activations: Sequence[Any] | None = None) -> None:
        import jax

        if not callable(apply):
            raise TargetError(f"apply is a {type(apply).__name__}: expected a function of the parameters and samples, apply(params, x)")
        self.apply, self.__qualname__ = apply, str(getattr(apply, "__qualname__", type(apply).__name__))
        paths, self._tree = jax.tree_util.tree_flatten_with_path(params)
        self._leaves = [leaf for _, leaf in paths]
        self._places = [place for place, leaf in enumerate(self._leaves) if _is_array(leaf)]
        named = [(jax.tree_util.keystr(paths[place][0]), np.shape(self._leaves[place]), place) for place in self._places]
        self.layers = _layers(named, self.__qualname__)
        self.one_by_one = False
        self._find(activations)

    def _find(self, said: Sequence[Any] | None) -> None:
        """Try the network with numbers of our own: how its weights stand, and what its activations are."""
        name = self.__qualname__
        shapes = [np.shape(self._leaves[layer.weight]) for layer in self.layers]
        self.dtype = str(np.result_type(*[_dtype_of(self._leaves[layer.weight]) for layer in self.layers]))
        parameters = [drawn(np.shape(self._leaves[place]), place + 1) for place in self._places]
        ways = [turned for turned in (True, False) if _follow(shapes, turned)]
        if not ways:
            raise TargetError(f"{name}: matrices of shapes {', '.join(map(str, shapes))} do not follow one another: {EXPECTED}")
        failed = ""
        for turned in ways:
            ends = (shapes[0], shapes[-1][::-1]) if turned else (shapes[0][::-1], shapes[-1])
            try:
                x, outputs, held = self._tried(parameters, ends[0][0], ends[1][0])
            except TargetError as error:
                failed = failed or str(error)
                continue
            found = _said(said, len(shapes), name) if said is not None else self._activations(ends[0][0], turned)
            if found is not None:
                self._prove(turned, self._matrices(held, turned), found, x, outputs, said is None)
                return
        raise TargetError(
            failed or f"{name}: no activations of ours make its outputs of its inputs: say activations=[...], one for each layer"
        )

    def _activations(self, inputs: int, turned: bool) -> tuple[Choice, ...] | None:
        """The activations that its outputs come from; in 16 bits, by which some cannot be told from others, as they are in 32."""
        dtype = self.dtype if self.dtype in ("float64", "float32") else "float32"
        for attempt in range(TRIES):
            seed = attempt * (1 + len(self._leaves))
            leaves = self._leaves_of([drawn(np.shape(self._leaves[place]), seed + place + 1) for place in self._places], dtype)
            x = _asarray(drawn_inputs([inputs], seed), dtype)
            held = {place: _numbers(leaf) for place, leaf in leaves.items()}
            try:
                return activations_of(_numbers(x), self._matrices(held, turned), _numbers(self._outputs(leaves, x)))
            except Undecided as error:
                said = f"{self.__qualname__}: {error}: say activations=[...], one for each layer"
        raise TargetError(said)

    def _matrices(self, held: dict[int, Array], turned: bool) -> list[tuple[Array, Array | None]]:
        """W, (out, in), and b of each layer."""
        return [
            (held[layer.weight].T if turned else held[layer.weight], None if layer.bias is None else held[layer.bias].ravel())
            for layer in self.layers
        ]

    def _leaves_of(self, parameters: Sequence[Array], dtype: str) -> dict[int, Any]:
        return {place: _asarray(array, dtype) for place, array in zip(self._places, parameters, strict=True)}

    def _tried(self, parameters: Sequence[Array], inputs: int, width: int) -> tuple[Array, Array, dict[int, Array]]:
        """Samples, what the network makes of them, and the parameters as it holds them, by their places."""
        name, leaves = self.__qualname__, self._leaves_of(parameters, self.dtype)
        x = _asarray(drawn_inputs([inputs]), self.dtype)
        said = ""
        for one_by_one in (False, True):
            self.one_by_one = one_by_one
            try:
                outputs = self._outputs(leaves, x)
            except Exception as error:
                said = said or told_of(error)
                continue
            if np.shape(outputs) == (len(x), width):
                self.precision = _precision(self.dtype, str(outputs.dtype))
                return _numbers(x), _numbers(outputs), {place: _numbers(leaf) for place, leaf in leaves.items()}
            said = said or f"it gives an array of shape {np.shape(outputs)}: expected {(len(x), width)}"
        raise TargetError(f"{name}: asked with samples of shape {np.shape(x)}: {said}")

    def _prove(
        self, turned: bool, layers: Sequence[tuple[Array, Array | None]], found: tuple[Choice, ...], x: Array, outputs: Array, seen: bool
    ) -> None:
        """Hold the outputs against the reference's, before any gradient is."""
        self.turned = turned
        widths = (layers[0][0].shape[1], *(weight.shape[0] for weight, _ in layers))
        biased = tuple(bias is not None for _, bias in layers)
        self.stack = Stack(widths, found, biased, tuple(range(1, len(layers) + 1)) if seen else ())
        weights, biases = [weight for weight, _ in layers], [bias for _, bias in layers]
        problem = Problem(weights, biases=biases, activations=found, x=x, y=np.zeros(outputs.shape))
        unsaid = proved(problem, [*[None] * (len(layers) - 1), outputs], self.precision, self.__qualname__)
        self.supports = self.stack.supports(without_cross_entropies(JAX_LOSSES))
        self.notes = (self.stack.told, *([unsaid] if unsaid else []))

    def _outputs(self, leaves: Any, x: Any) -> Any:
        """What the network gives with some leaves in place of its own."""
        import jax

        filled = list(self._leaves)
        for place, leaf in leaves.items():
            filled[place] = leaf
        params = jax.tree_util.tree_unflatten(self._tree, filled)
        return jax.vmap(lambda sample: self.apply(params, sample))(x) if self.one_by_one else self.apply(params, x)

    def problem_of(self, x: Any, y: Any, loss: Any, reduction: str | None) -> Problem:
        """The problem that its own parameters and one batch are. loss: a name of ours; y: (batch, n_L), or a class for each sample."""
        if loss is None:
            raise ProblemError(f"loss is None: say which one, any of {', '.join(JAX_LOSSES)}")
        layers = self._matrices({place: _numbers(_asarray(self._leaves[place], self.dtype)) for place in self._places}, self.turned)
        expected = as_array(y)
        if expected.ndim == 1 and expected.dtype.kind in "iu" and name_and_parameters(loss)[0] == "softmax_cross_entropy":
            expected = rows_of_classes(expected, self.stack.widths[-1])
        return Problem(
            [weight for weight, _ in layers],
            biases=[bias for _, bias in layers],
            activations=self.stack.activations,
            x=_numbers(_asarray(x, self.dtype)),
            y=expected.astype(np.float64).reshape(len(expected), -1),
            loss=loss,
            reduction=reduction or "mean",
        )

    def __call__(self, problem: Problem) -> Gradient:
        import jax

        without_counted_terms(problem, self.__qualname__)
        leaves: dict[int, Any] = {place: _asarray(self._leaves[place], self.dtype) for place in self._places}
        for layer, weight, bias in zip(self.layers, problem.weights, problem.biases, strict=True):
            leaves[layer.weight] = _asarray(weight.T if self.turned else weight, self.dtype)
            if layer.bias is not None:
                leaves[layer.bias] = _asarray(bias, self.dtype).reshape(np.shape(self._leaves[layer.bias]))
        name, parameters = name_and_parameters(problem.loss)

        def loss(leaves: Any, x: Any) -> Any:
            outputs = self._outputs(leaves, x)
            losses = JAX_LOSSES[name](jax, outputs, _asarray(problem.y, outputs.dtype), **parameters)
            return losses.mean() if problem.reduction == "mean" else losses.sum()

        value, (found, of_x) = jax.value_and_grad(loss, argnums=(0, 1))(leaves, _asarray(problem.x, self.dtype))
        weights = [as_array(found[layer.weight]) for layer in self.layers]
        biases = [None if layer.bias is None else as_array(found[layer.bias]).ravel() for layer in self.layers]
        return Gradient([weight.T if self.turned else weight for weight in weights], biases, x=as_array(of_x), loss=as_array(value))


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and str(leaf.dtype) in DTYPES and len(leaf.shape) > 0


def _dtype_of(leaf: Any) -> Any:
    """The dtype that JAX holds a leaf in: float64 only where it is told to."""
    import jax

    return jax.numpy.asarray(leaf).dtype


def _asarray(array: Any, dtype: str) -> Any:
    import jax

    return jax.numpy.asarray(array, dtype=dtype)


def _numbers(array: Any) -> AnyArray:
    return as_array(array).astype(np.float64)


def _precision(stored: str, given: str) -> str:
    narrowest = max((stored, given), key=lambda name: list(DTYPES).index(name) if name in DTYPES else -1)
    if narrowest not in DTYPES:
        raise TargetError(f"its outputs are of {narrowest}: expected floating-point numbers")
    # its functions are made of steps, each of which may be rounded
    name = f"{narrowest}/float32" if narrowest in ("float16", "bfloat16") else narrowest
    return PRECISIONS[name].name


def _follow(shapes: Sequence[tuple[int, ...]], turned: bool) -> bool:
    """Whether each matrix takes as many inputs as the one before it gives outputs; turned: whether they are (in, out)."""
    return all((after[0] == before[1]) if turned else (after[1] == before[0]) for before, after in pairwise(shapes))


def _layers(named: Sequence[tuple[str, tuple[int, ...], int]], whose: str) -> list[_Layer]:
    """The layers of leaves. named: of each array its path in the tree, its shape and its place among the leaves."""
    groups: dict[str, list[tuple[str, tuple[int, ...], int]]] = {}
    for path, shape, place in sorted(named, key=lambda leaf: _natural(leaf[0])):
        # a bias by hand is often a row or a column
        vector = len(shape) == 1 or (len(shape) == 2 and 1 in shape and re.sub(r"\W", "", _last(path)).lower().startswith("b"))
        if len(shape) > 2:
            raise TargetError(f"{whose}: the array at {path} has shape {shape}: {EXPECTED}")
        groups.setdefault(path.removesuffix(_last(path)), []).append((path, shape[:1] if vector else shape, place))
    layers: list[_Layer] = []
    for group in groups.values():
        weights = [place for _, shape, place in group if len(shape) == 2]
        biases: list[Any] = [place for _, shape, place in group if len(shape) == 1]
        if not weights or len(biases) not in (0, len(weights)):
            paths = ", ".join(f"{path} {shape}" for path, shape, _ in group)
            raise TargetError(f"{whose}: the arrays {paths} are no linear layer: {EXPECTED}")
        layers += [_Layer(weight, bias) for weight, bias in zip(weights, biases or [None] * len(weights), strict=True)]
    if not layers:
        raise TargetError(f"{whose}: its parameters hold no arrays of floating-point numbers: {EXPECTED}")
    return layers


def _last(path: str) -> str:
    """The last key of a path of JAX's: "['bias']", "[1]" or ".weight"."""
    return re.findall(r"\[[^\]]*\]|\.[^.\[]+", path)[-1] if path else ""


def _natural(path: str) -> list[tuple[int, str]]:
    """Dense_10 after Dense_2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _said(activations: Sequence[Any], layers: int, whose: str) -> tuple[Choice, ...]:
    if isinstance(activations, str) or len(activations) != layers:
        raise TargetError(f"{whose}: activations is {activations!r}: expected one for each layer, {layers}")
    try:
        return tuple(normal_choice(ACTIVATIONS, activation, "activation") for activation in activations)
    except (ValueError, ProblemError, SupportError) as error:
        raise TargetError(f"{whose}: {error}") from None
