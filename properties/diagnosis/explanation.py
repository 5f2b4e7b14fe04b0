"""One problem explained, from the loss down: each factor with the target's own numbers from above, so that nothing is a consequence.

dC/dW^l = (delta^l)^T a^{l-1} and dC/db^l = sum of delta^l hold for the delta that the target has, right or wrong. So each delta that the
right step gives, or one variant of it, is a hypothesis; the one whose products are the target's is the target's own, and goes on down.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from properties.diagnosis.asked import SAFETY, Asked
from properties.diagnosis.table import Table
from properties.diagnosis.variant import Variant
from properties.faults.fault import Network, Passes
from reference.arrays import Array
from reference.functions.parametrised import name_and_parameters

OPTIONS = 4
"""So many deltas of a layer are followed further down, where more than one explains its products."""


@dataclass
class Layer:
    """What is read of one layer: whether its delta, dC/dW and dC/db are what the right step makes of what lies above.

    delta: "ok", "off" or "unread"; weights, biases: "ok" or "off"; below: whether dC/dx is, of the first layer, "ok", "off" or "unread";
    by_delta, by_weights, by_biases, by_below: the variants that explain each that is off; error: the target's own dC/da from above, right:
    what the right step makes of it, own: the target's delta, each (batch, n_l).
    """

    layer: int
    delta: str = "ok"
    weights: str = "ok"
    biases: str = "ok"
    below: str = "unread"
    by_delta: list[Variant] = field(default_factory=list)
    by_weights: list[Variant] = field(default_factory=list)
    by_biases: list[Variant] = field(default_factory=list)
    by_below: list[Variant] = field(default_factory=list)
    own: Array | None = None
    right: Array | None = None
    error: Array | None = None

    @property
    def off(self) -> int:
        """How many of its factors are off."""
        return sum(said != "ok" for said in (self.delta, self.weights, self.biases)) + (self.below == "off")

    def candidates(self) -> Iterator[tuple[int, Variant]]:
        """The variants that explain something of it, each with the layer that its step is done at."""
        for row in self.by_delta:
            yield self.layer + (row.step == "error_below"), row
        for row in (*self.by_weights, *self.by_biases, *self.by_below):
            yield self.layer, row


@dataclass
class Reading:
    """What is read of one problem: its layers from the last down, as far as they can be read; others: what would explain it as well."""

    asked: Asked
    layers: list[Layer]
    others: list[tuple[int, Variant]] = field(default_factory=list)

    @property
    def off(self) -> int:
        return sum(layer.off for layer in self.layers)

    def first_off(self) -> Layer | None:
        """The output-most layer of which something is off."""
        return next((layer for layer in self.layers if layer.off), None)

    def candidates(self) -> list[tuple[int, Variant]]:
        return [*(each for layer in self.layers for each in layer.candidates()), *self.others]


class Reader:
    """Reads problems beside a network that is taken to be right. base: its steps, changed where a mistake is known already."""

    def __init__(self, table: Table, base: Network) -> None:
        self.table, self.base = table, base
        self.step = {
            name: base.step(name)
            for name in ("output_error", "reduction", "slope", "delta", "weight_gradient", "bias_gradient", "error_below")
        }

    def read(self, asked: Asked) -> Reading:
        """The factors of a problem that was answered."""
        assert asked.gradient is not None
        with np.errstate(all="ignore"):
            p = asked.forward(self.base.changed)
            try:
                p.errors[p.depth] = self.step["reduction"](p, self.step["output_error"](p))
            except Exception:
                return Reading(asked, [])
            layers, others = self._down(asked, p, p.depth, not self.base.changed)
        return Reading(asked, layers, others)

    def _down(self, asked: Asked, p: Passes, layer: int, fine: bool) -> tuple[list[Layer], list[tuple[int, Variant]]]:
        """This layer and all below; fine: whether all above is right, so that the exact gradient is what should be."""
        if layer == 0:
            return [], []
        best: tuple[int, list[Layer], list[tuple[int, Variant]]] | None = None
        options = self._options(asked, p, layer, fine)
        alike: list[tuple[int, Variant]] = []
        for option in options[:OPTIONS]:
            option.error = p.errors[layer]
            if option.own is None:
                below: list[Layer] = []
                others: list[tuple[int, Variant]] = []
                more = layer - 1
            else:
                q = _copied(p)
                self._take(asked, q, option)
                below, others = self._down(asked, q, layer - 1, fine and not option.off)
                more = sum(each.off for each in below)
            if best is None or option.off + more < best[0]:
                alike = []
                best = (option.off + more, [option, *below], others)
            elif option.off + more == best[0]:
                alike += [*option.candidates(), *(each for one in below for each in one.candidates())]
        assert best is not None
        return best[1], [*best[2], *alike]

    def _take(self, asked: Asked, p: Passes, option: Layer) -> None:
        """Go on with the target's own numbers."""
        layer = option.layer
        weights, bias = self._got(asked, layer)
        assert option.own is not None
        p.deltas[layer], p.weights[layer] = option.own, weights
        p.biases[layer] = option.own.sum(axis=0) if bias is None else bias
        try:
            p.errors[layer - 1] = self.step["error_below"](p, layer)
        except Exception:
            p.errors[layer - 1] = np.full_like(p.a[layer - 1], np.nan)
        x = None if asked.gradient is None else asked.gradient.x
        if layer == 1 and x is not None:
            got = np.asarray(x, dtype=np.float64)
            size = relative_errors(asked, 1).max() * (np.abs(option.own) @ np.abs(p.weight(1)))
            option.below = "ok" if _near(got, p.errors[0], size) else "off"
            if option.below == "off":
                option.by_below = list(self._tried("error_below", "", lambda row: row.changed["error_below"](p, 1), got, size))

    @staticmethod
    def _got(asked: Asked, layer: int) -> tuple[Array, Array | None]:
        assert asked.gradient is not None
        biases = asked.gradient.biases
        bias = None if biases is None else biases[layer - 1]
        return _kept(asked.products(layer)), None if bias is None else _kept(bias)

    def _options(self, asked: Asked, p: Passes, layer: int, fine: bool) -> list[Layer]:
        """What the layer's delta may be, the likeliest first; at least one, whose own is None where nothing can be read."""
        weights, bias = self._got(asked, layer)
        relative, a = relative_errors(asked, layer), p.a[layer - 1]
        p.slopes[layer] = self.step["slope"](p, layer)
        try:
            right = self.step["delta"](p, layer)
        except Exception:
            return [Layer(layer, "unread", "unread", "unread")]

        def products(delta: Array) -> tuple[bool, bool]:
            p.deltas[layer], p.weights[layer] = delta, weights
            size = np.abs(delta)
            try:
                of_weights = _near(weights, self.step["weight_gradient"](p, layer), relative[:, None] * (size.T @ np.abs(a)))
                of_biases = bias is None or _near(bias, self.step["bias_gradient"](p, layer), relative * size.sum(axis=0))
            except Exception:
                return False, False
            return of_weights, of_biases

        fits = products(right)
        if fine:  # where digits cancel, as in a - y, the exact numbers have a bound of their own
            fits = fits[0] or _is_within(asked, "weights", layer), fits[1] or _is_within(asked, "biases", layer)
        if all(fits):
            return [Layer(layer, own=right, right=right)]
        options = [self._right_delta(asked, p, layer, right, fits)]
        groups: list[tuple[Array, list[Variant], tuple[bool, bool]]] = []
        for row, delta in self._worth_a_look(asked, p, layer, right):
            both = products(delta)
            if any(both):
                same = next((group for group in groups if _near(delta, group[0], 8 * relative * np.abs(delta))), None)
                if same:
                    same[1].append(row)
                else:
                    groups.append((delta, [row], both))
        whole = [Layer(layer, "off", by_delta=rows, own=delta, right=right) for delta, rows, both in groups if all(both)]
        explained = [option for option in options if option.own is not None]
        found = [*whole, *explained] if bias is None else [*explained, *whole]
        if found:
            return found
        for delta, rows, both in groups:
            if not all(both):
                option = self._right_delta(asked, p, layer, delta, both)
                option.delta, option.by_delta, option.right = "off", rows, right
                if option.own is not None and (option.by_weights or option.by_biases):
                    found.append(option)
        return found or [self._raw(asked, p, layer, right, fits)]

    def _right_delta(self, asked: Asked, p: Passes, layer: int, delta: Array, fits: tuple[bool, bool]) -> Layer:
        """A delta that is taken as it is, with variants of the products that are off; own is None where nothing explains them."""
        weights, bias = self._got(asked, layer)
        relative, size = relative_errors(asked, layer), np.abs(delta)
        p.deltas[layer], p.weights[layer] = delta, weights
        option = Layer(layer, own=delta, right=delta)
        if not fits[0]:
            terms = (relative[:, None] * (size.T @ np.abs(p.a[layer - 1]))).max() + 0 * weights
            option.weights = "off"
            option.by_weights = list(
                self._tried("weight_gradient", "", lambda row: row.changed["weight_gradient"](p, layer), weights, terms)
            )
        if not fits[1] and bias is not None:
            terms = (relative * size.sum(axis=0)).max() + 0 * bias
            option.biases = "off"
            option.by_biases = list(self._tried("bias_gradient", "", lambda row: row.changed["bias_gradient"](p, layer), bias, terms))
        unexplained = (not fits[0] and not option.by_weights) or (not fits[1] and not option.by_biases)
        # a bias's gradient that is right, of a delta that is wrong, would be a chance
        if unexplained and not (bias is not None and (fits[0] or fits[1])):
            option.own = None
        return option

    def _tried(self, step: str, of: str, result: Callable[[Variant], Any], got: Array, size: Array) -> Iterator[Variant]:
        """The variants of a step whose result is what was got."""
        for row in self.table.of(step, of):
            try:
                predicted = np.asarray(result(row))
            except Exception:  # a variant that does not fit the shapes explains nothing
                continue
            if predicted.shape == got.shape and _near(got, predicted, size + _least_relative(size, got) * np.abs(predicted)):
                yield row

    def _hypotheses(self, p: Passes, layer: int) -> Iterator[tuple[Variant, Array]]:
        """Every delta that one variant of a step gives, with all else as it is."""
        activation = name_and_parameters(p.problem.activations[layer - 1])[0]
        loss = name_and_parameters(p.problem.loss)[0]
        error, slopes, step = p.errors[layer], p.slopes[layer], self.step
        if layer == p.depth:
            right = step["output_error"](p)
            yield from self._made(p, layer, "output_error", loss, lambda row: step["reduction"](p, row.changed["output_error"](p)))
            yield from self._made(p, layer, "reduction", "", lambda row: row.changed["reduction"](p, right.copy()))
        else:
            yield from self._made(p, layer, "error_below", "", lambda row: row.changed["error_below"](p, layer + 1))
        p.errors[layer], p.slopes[layer] = error, slopes
        for row in self.table.of("slope", activation):
            try:
                p.slopes[layer] = np.asarray(row.changed["slope"](p, layer))
                yield row, np.asarray(step["delta"](p, layer))
            except Exception:
                continue
            finally:
                p.slopes[layer] = slopes
        for row in self.table.of("delta", activation):
            try:
                yield row, np.asarray(row.changed["delta"](p, layer))
            except Exception:
                continue

    def _made(self, p: Passes, layer: int, kind: str, of: str, error: Callable[[Variant], Any]) -> Iterator[tuple[Variant, Array]]:
        kept = p.errors[layer]
        for row in self.table.of(kind, of):
            try:
                p.errors[layer] = np.asarray(error(row))
                yield row, np.asarray(self.step["delta"](p, layer))
            except Exception:
                continue
            finally:
                p.errors[layer] = kept

    def _worth_a_look(self, asked: Asked, p: Passes, layer: int, right: Array) -> list[tuple[Variant, Array]]:
        """The hypotheses that change delta, and fit one number of dC/dW or dC/db: that ends most comparisons, of all at once."""
        weights, bias = self._got(asked, layer)
        relative, a = relative_errors(asked, layer), p.a[layer - 1]
        made = [(row, delta) for row, delta in self._hypotheses(p, layer) if delta.shape == right.shape]
        if not made:
            return []
        deltas = np.array([delta for _, delta in made], dtype=np.float64)
        differs = ~(np.abs(deltas - right) <= 8 * relative * np.abs(right)).all(axis=(1, 2))
        j, k = divmod(int(np.argmax(np.abs(weights))), weights.shape[1])
        fits = _sums_to(weights[j, k], deltas[:, :, j] * a[:, k], relative[j])
        if bias is not None:
            j = int(np.argmax(np.abs(bias)))
            fits |= _sums_to(bias[j], deltas[:, :, j], relative[j])
        return [made[i] for i in np.flatnonzero(differs & fits)]

    def _raw(self, asked: Asked, p: Passes, layer: int, right: Array, fits: tuple[bool, bool]) -> Layer:
        """What no variant explains: the delta that the products themselves tell, where they tell more than one."""
        weights, bias = self._got(asked, layer)
        delta = raw_delta(p.a[layer - 1], weights, bias, SAFETY * float(relative_errors(asked, layer).max()))
        if delta is not None:
            return Layer(layer, "off", own=delta, right=right)
        if np.isfinite(right).all() and not (np.isfinite(weights).all() and (bias is None or np.isfinite(bias).all())):
            # what is infinite or NaN in every product comes down with delta, and nothing below can be read
            return Layer(layer, "off", right=right)
        return Layer(layer, "unread", "ok" if fits[0] else "off", "ok" if fits[1] else "off", right=right)


def _is_within(asked: Asked, quantity: str, layer: int) -> bool:
    """Whether what is answered of a layer is within honest rounding of what is exact."""
    got, exact, bound = (getattr(each, quantity) for each in (asked.gradient, asked.exact.reference, asked.bound))
    if got is None or got[layer - 1] is None:
        return False
    off = np.abs(np.asarray(got[layer - 1], dtype=np.float64) - exact[layer - 1])
    return bool((np.isfinite(bound[layer - 1]) & (off <= bound[layer - 1])).all())


def _sums_to(got: float, terms: Array, relative: float) -> Any:
    """Which rows of terms may add up to what was got."""
    return ~(np.abs(got - terms.sum(axis=1)) > SAFETY * relative * np.abs(terms).sum(axis=1))


def _kept(array: Any) -> Array:
    """A view that no variant can write to."""
    kept = np.asarray(array, dtype=np.float64).view()
    kept.flags.writeable = False
    return kept


def raw_delta(a: Array, weights: Array, bias: Array | None, relative: float) -> Array | None:
    """delta of each sample, (batch, n_l), by least squares of [a, 1]^T delta = [dC/dW^T; dC/db]; None where they do not tell it.

    a: (batch, n_{l-1}). There must be more equations than samples: with as many, every dC/dW is explained by some delta.
    """
    left = a if bias is None else np.hstack([a, np.ones((len(a), 1))])
    given = weights.T if bias is None else np.vstack([weights.T, bias[None]])
    if left.shape[1] <= len(a) or not (np.isfinite(left).all() and np.isfinite(given).all()):
        return None
    delta, _, rank, _ = np.linalg.lstsq(left.T, given, rcond=None)
    if rank < len(a):
        return None
    size = np.abs(left).T @ np.abs(delta)
    condition = float(np.linalg.cond(left))
    return np.asarray(delta) if _near(given, left.T @ delta, relative * condition * size) else None


def relative_errors(asked: Asked, layer: int) -> Array:
    """How far the products of each node of a layer may be off, over the sum of their terms' sizes, (n_l,)."""
    exact = asked.exact.passes
    with np.errstate(all="ignore"):
        sizes = np.abs(exact.backward.deltas[layer - 1]).T @ np.abs(exact.forward.activations[layer - 1])
        shares = np.asarray(asked.bound.weights[layer - 1]) / sizes
    worst: Array = np.max(np.where(np.isfinite(shares), shares, 0.0), axis=1)
    least, most = 32 * asked.precision.unit, 2.0**-30 if asked.precision.unit < 1e-12 else 64 * asked.precision.unit
    return np.minimum(np.maximum(worst, least), most)


def _least_relative(size: Array, got: Array) -> float:
    """The relative error that goes with a row of allowed ones."""
    largest = float(np.max(np.abs(got), initial=0.0))
    return float(np.max(size, initial=0.0)) / largest if 0 < largest < np.inf else 0.0


def _near(got: Array, predicted: Array, size: Array) -> bool:
    """Whether a result is what was got, SAFETY times as far off as rounding may bring it; NaN is NaN."""
    predicted = np.asarray(predicted)
    if predicted.shape != got.shape:
        return False
    near = np.abs(got - predicted) <= SAFETY * size
    if near.all():
        return True
    return bool((near | (got == predicted) | (np.isnan(got) & np.isnan(predicted))).all())


def _copied(p: Passes) -> Passes:
    return Passes(p.problem, {}, p.loss, p.z, p.a, dict(p.errors), dict(p.slopes), dict(p.deltas), dict(p.weights), dict(p.biases))
