"""The trial by peers: no accusation that our own honest passes would suffer as well.

What is too far off by a measure is held beside peers over the same problem in the same precision. Where one of them trips the same
measure, or comes near, the measure proves nothing there: it is left out, and the verdict comes from those that remain. This guards every
constant of the statistical model, and what it does not know.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from oracles import torch_autograd
from oracles.available import ORACLES, missing, version
from properties.judging.answer_in_sigmas import AnswerInSigmas, beside_reference
from properties.judging.judgement import Exact
from properties.judging.measures import Measure
from properties.judging.peers import ACCURATE, Peer, answers, textbook_peers
from reference.gradient import Gradient, Place
from rounding.precisions import Precision

NEAR = {"entries": 0.75}
NEAR_OF_OTHERS = 0.5
"""A peer comes near that is off by so much of what is allowed. Where the model holds, the largest of millions of entries of an honest
pass is at 5 to 6 of 8 sigma, now and then, and the other measures below a half (docs/tolerance.md, section 7): so nearer than these is a
sign that the model does not hold."""

FARTHER = 8.0
"""An answer that is off by more than so many times as much as the worst peer is told all the same: eight passes do not find the worst
that honest rounding does, and came to a tenth of it once."""


@dataclass(frozen=True)
class BesidePeers:
    """A measure of an answer beside those of peers.

    peer, share: which came farthest, and how far, over what is allowed; near: whether that leaves the measure out;
    textbook: whether only peers with textbook formulas came near; framework: one that is further off in each entry, "" for none.
    """

    measure: Measure
    peer: Peer
    share: float
    near: bool
    textbook: bool
    framework: str = ""

    def __str__(self) -> str:
        measure = self.measure
        if self.framework:
            said = f"{measure.place}, {measure.kind}: it is off by {measure.share:.3g} of what is allowed"
            return f"{said}, and {self.framework} further in each entry"
        return (
            f"{measure.place}, {measure.kind}: it is off by {measure.share:.3g} of what is allowed, and the worst of our own honest passes "
            f"({self.peer.name}) by {self.share:.2g}"
        )


def beside_peers(exact: Exact, beside: AnswerInSigmas, suspected: Sequence[Measure]) -> list[BesidePeers]:
    """Each measure that is further off than is allowed, beside all peers.

    beside: the answer beside the reference, by whatever formulas, as are the peers. A peer in float64 is held against the reference too,
    which is one more honest pass: where the reference is the one that is off, all peers are as far from it.
    """
    key = beside.precision.name, beside.places
    if key not in exact.peers:
        exact.peers[key] = _off(exact, beside)
    off = exact.peers[key]

    def share(measure: Measure, of_peer: dict[tuple[Place, str], Measure]) -> float:
        same = of_peer.get((measure.place, measure.kind))
        return same.share_of(measure) if same else 0.0

    return [_beside(measure, [(peer, share(measure, of_peer)) for peer, of_peer in off]) for measure in suspected]


def beside_framework(exact: Exact, answer: Gradient, beside: AnswerInSigmas, heard: Sequence[BesidePeers]) -> list[BesidePeers]:
    """The same, each measure left out of an array in every entry of which PyTorch, where it is installed, is at least as far off.

    Nobody is accused who is nearer than that. JAX is not asked: it compiles for each problem, which takes longer than all the rest.
    """
    key = "torch", beside.precision.storage
    if key not in exact.peers:
        exact.peers[key] = _of_torch(exact, beside.precision)
    theirs = exact.peers[key]
    if theirs is None:
        return list(heard)
    arrays = {name: {place: np.asarray(array) for place, array in each.arrays()} for name, each in (("its", answer), ("theirs", theirs))}
    right = dict(exact.reference.arrays())

    def is_nearer(place: Place) -> bool:
        if not all(place in each for each in (*arrays.values(), right)):
            return False
        off, other = (np.abs(each[place].astype(np.float64) - right[place]) for each in arrays.values())
        return bool(np.isfinite(other).all() and (off <= other).all())

    name = f"PyTorch {version(ORACLES['torch'])}"
    return [replace(each, near=True, framework=name) if is_nearer(each.measure.place) else each for each in heard]


def _of_torch(exact: Exact, precision: Precision) -> Gradient | None:
    """PyTorch's answer in this storage; None where it is not installed, or has no such function there."""
    if missing(ORACLES["torch"]):
        return None
    try:
        return torch_autograd.answer(exact.problem, precision.storage).gradient
    except Exception:
        return None


def _off(exact: Exact, beside: AnswerInSigmas) -> list[tuple[Peer, dict[tuple[Place, str], Measure]]]:
    """How far each peer is off by every measure of the arrays that are judged."""
    names = frozenset(exact.textbook_activations)
    peers = ACCURATE + (textbook_peers(names) if names else ())
    asked = {place.quantity for place in beside.places} | {"weights"}
    off = []
    for peer, gradient in answers(exact.problem, beside.precision, peers):
        judged = Gradient(**{quantity: array for quantity, array in vars(gradient).items() if quantity in asked})
        of_peer = beside_reference(exact, judged, beside.precision, None).of(beside.places)
        off.append((peer, {(one.place, one.kind): one for one in of_peer.measures}))
    return off


def _beside(measure: Measure, shares: Sequence[tuple[Peer, float]]) -> BesidePeers:
    limit = NEAR.get(measure.kind, NEAR_OF_OTHERS)

    # a peer that leaves the range excuses nothing
    shares = [(peer, share if math.isfinite(share) else 0.0) for peer, share in shares]

    def excuses(share: float) -> bool:
        return share >= limit and measure.share <= FARTHER * share

    peer, share = max(shares, key=lambda each: each[1])
    accurate = max(share for peer, share in shares if not peer.textbook)
    return BesidePeers(measure, peer, share, excuses(share), excuses(share) and not excuses(accurate))
