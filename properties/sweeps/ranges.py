"""The ranges of z in which an activation is not finite, of the wrong sign, 0, wrong or lossy: a short list of what was met."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from properties.sweeps.truth import Truth
from properties.verdict import Verdict
from reference.arrays import AnyArray, Array
from reference.forms.json_form import numbers
from rounding.precisions import Precision

SHOWN = 4
"""So many ranges of each kind are told: those that lie nearest to one another are joined until no more are left."""

NEAR = 8
"""What is met makes one range from the beginning where no more numbers than this lie between."""


class Kind(StrEnum):
    """What may be met at a number, the worst first."""

    NOT_FINITE = "not finite"
    WRONG_SIGN = "of the wrong sign"
    FLUSHED = "flushed to zero"
    WRONG = "wrong"
    LOSSY = "lossy"


@dataclass(frozen=True)
class Met:
    """One number of a sweep.

    z; got: what the target has; exact: what is; units: how far that is off, in units in the last place of the exact number, correctly
    rounded; allowed: the same in units of what is allowed to an accurate formula.
    """

    z: float
    got: float
    exact: float
    units: float
    allowed: float

    def data(self) -> dict[str, Any]:
        """Plain data."""
        return {name: numbers(number) for name, number in vars(self).items()}


@dataclass(frozen=True)
class Range:
    """Numbers beside one another at which the same is met.

    kind; verdict: the worst of them, "right" where all are within what is allowed, "inconclusive" where nothing is claimed, since
    something leaves the range; low, high: the first and last z; count: how many are met, numbers: of how many that were swept between
    them; worst: the one that is furthest off.
    """

    kind: str
    verdict: str
    low: float
    high: float
    count: int
    numbers: int
    worst: Met


@dataclass(frozen=True, kw_only=True)
class Along:
    """One quantity along z.

    quantity: "slope", g', or "value", g; verdict: the worst that was met; judged: how many numbers; unclaimed: of how many nothing is said,
    since something leaves the range there; nearest: how many answers are as near as the format can be; by_units, by_allowed: the
    numbers that are furthest off by either measure, None where nothing was judged; ranges: by kind, the worst first.
    """

    quantity: str
    verdict: Verdict
    judged: int
    unclaimed: int
    nearest: int
    by_units: Met | None
    by_allowed: Met | None
    ranges: tuple[Range, ...]

    def data(self) -> dict[str, Any]:
        """Plain data; numbers that JSON has not are words."""
        return vars(self) | {
            "verdict": self.verdict.value,
            "by_units": None if self.by_units is None else self.by_units.data(),
            "by_allowed": None if self.by_allowed is None else self.by_allowed.data(),
            "ranges": [vars(each) | {"worst": each.worst.data()} for each in self.ranges],
        }


@dataclass(frozen=True)
class _Judged:
    """The numbers that are judged, (n,) each. off: how far each is off, at least; unit: a unit in its last place."""

    z: Array
    got: Array
    truth: Truth
    off: Array
    unit: Array

    @property
    def exact(self) -> Array:
        return self.truth.exact.high

    def verdicts(self) -> AnyArray:
        """How bad each is, places in SEVERITY."""
        finite = np.isfinite(self.got)
        bad = np.where(np.where(finite, self.off, np.inf) <= self.truth.right, 0, 2)
        outside = finite & (bad > 0) & self.truth.known
        if outside.any():
            bad[outside] = np.where(self.off[outside] <= self.truth.textbook(outside), 1, 3)
        return np.asarray(bad)

    def met(self, i: int) -> Met:
        return Met(*(float(each) for each in (self.z[i], self.got[i], self.exact[i], self.off[i] / self.unit[i], self.shares[i])))

    @property
    def shares(self) -> Array:
        """How far each is off, over what is allowed to an accurate formula; where nothing is, and it is right, 0."""
        share = self.off / np.where(self.truth.right > 0, self.truth.right, self.unit)
        return np.where(np.isnan(share), np.inf, np.where(self.off == 0, 0.0, share))


SEVERITY = (Verdict.RIGHT, Verdict.LOSSY, Verdict.NONFINITE, Verdict.WRONG)


def along(quantity: str, z: Array, got: Array, answered: AnyArray, truth: Truth, read_within: Array, precision: Precision) -> Along:
    """What is met along z, all (n,), ascending. read_within: how far an answer may be off by the way in which it is read."""
    with np.errstate(all="ignore"):
        off = np.maximum(truth.exact.distance(got) - read_within, 0.0)
        judged = _Judged(z, got, truth, off, precision.last_place(truth.exact.high))
        # what rounds to infinity may be infinite
        beyond = ~np.isfinite(precision.held(truth.exact.high))
        claimed = answered & truth.known & np.isfinite(truth.right) & ~beyond
        bad = judged.verdicts()
        kinds = _kinds(judged, bad, precision)
        found = [one for kind, which in kinds.items() for one in _ranges(kind, which & claimed, judged, bad)]
        lost = kinds[Kind.NOT_FINITE] & answered & truth.known & ~beyond & ~claimed
        found += [replace(one, verdict=Verdict.INCONCLUSIVE.value) for one in _ranges(Kind.NOT_FINITE, lost, judged, bad)]
        finite = np.flatnonzero(claimed & np.isfinite(got))
        shares, off = judged.shares[finite], (judged.off / judged.unit)[finite]
        worst = [judged.met(int(finite[int(np.argmax(each))])) if finite.size else None for each in (off, shares)]
        verdict = SEVERITY[int(bad[claimed].max())] if claimed.any() else Verdict.INCONCLUSIVE
        nearest = int(np.sum(claimed & (judged.off <= judged.unit / 2)))
    return Along(
        quantity=quantity,
        verdict=verdict,
        judged=int(claimed.sum()),
        unclaimed=int((answered & ~claimed).sum()),
        nearest=nearest,
        by_units=worst[0],
        by_allowed=worst[1],
        ranges=tuple(found),
    )


def _kinds(judged: _Judged, bad: AnyArray, precision: Precision) -> dict[Kind, AnyArray]:
    """Where each kind is met, (n,) of bool; of one number the worst alone."""
    exact, got = judged.exact, judged.got
    # on a kink the slope is no one number
    one_number = np.abs(exact) > judged.truth.exact.radius
    normal = np.abs(exact) >= precision.least_normal
    met = {
        Kind.NOT_FINITE: ~np.isfinite(got),
        Kind.WRONG_SIGN: one_number & normal & (np.sign(got) * np.sign(exact) < 0),
        Kind.FLUSHED: one_number & normal & (got == 0),
        Kind.WRONG: bad >= 2,
        Kind.LOSSY: bad == 1,
    }
    taken = np.zeros(got.shape, dtype=bool)
    for kind, which in met.items():
        met[kind] = which & ~taken
        taken |= which
    return met


def _ranges(kind: Kind, which: AnyArray, judged: _Judged, bad: AnyArray) -> Iterator[Range]:
    """Runs of what is met, joined where they are near one another, until they are few."""
    places = np.flatnonzero(which)
    if not places.size:
        return
    gaps = np.diff(places)
    apart = np.flatnonzero(gaps > NEAR)
    apart = np.sort(apart[np.argsort(-gaps[apart], kind="stable")][: SHOWN - 1])
    for some in np.split(places, apart + 1):
        off = np.where(np.isfinite(judged.got[some]), judged.shares[some], np.inf)
        worst = int(some[int(np.argmax(off))])
        low, high = float(judged.z[some[0]]), float(judged.z[some[-1]])
        verdict = SEVERITY[int(bad[some].max())].value
        yield Range(kind.value, verdict, low, high, len(some), int(some[-1] - some[0] + 1), judged.met(worst))
