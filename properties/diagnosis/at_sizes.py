"""The diagnosis of what shows at real sizes alone: from which sizes on, in what pattern, and which rows, columns or samples are off."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from properties.diagnosis.asked import Ask, Asked
from properties.diagnosis.budget import Budget, Spent
from properties.diagnosis.diagnosis import Diagnosis
from properties.diagnosis.explanation import Reader, Reading
from properties.diagnosis.ladder import Rung
from properties.diagnosis.off_entries import OffArray, as_in_float32, of_samples, off_arrays, those, what_samples_count
from properties.diagnosis.placing import Place, boxes, place
from properties.diagnosis.sentences import FACTORS, where
from properties.diagnosis.sizes import SMALL, Cutting, Pattern, Sizes, Trial, grown, pattern, smallest
from properties.diagnosis.table import Table, all_variants
from properties.faults.fault import Network
from properties.judging.judgement import precision_of
from properties.problems.support import Support
from reference.functions.losses import LOSSES
from reference.functions.parametrised import row_of
from reference.problem import Problem
from rounding.precisions import Precision

CALLS, SECONDS = 400, 6.0
"""How many calls of a target it takes, and how much time in all, that of the target and of what it is held against."""

ROOM = 24
"""Nodes and inputs of the problem that samples are told apart by, where there are as many."""


def diagnose_at_sizes(
    ask: Ask, support: Support, problem: Problem, *, precision: str | None = None, drawn_in: str | None = None, seconds: float = SECONDS
) -> tuple[Diagnosis, ...]:
    """What is wrong with a target that is right on small problems; () where what is found does not show, or not by its size.

    problem: of the finding; precision: what answers are judged by, None for what their dtype says; drawn_in: as in diagnose;
    seconds: how long it may take in all.
    """
    if max(problem.batch, *problem.widths) <= SMALL:
        return ()
    budget, deadline = Budget(ask, CALLS, seconds), time.monotonic() + seconds
    # generic numbers tell more than those of a finding, which may be 0
    wholes = [whole for whole in (grown(problem, support, drawn_in or precision or "float64"), problem) if whole is not None]
    cuttings = [Cutting(whole, budget, support, deadline, precision) for whole in wholes]
    try:
        cutting = next((each for each in cuttings if each.shows(each.sizes)), None)
    except Spent:
        return ()
    if cutting is None:
        return ()
    least = smallest(cutting)
    patterns = [pattern(cutting, least, each) for each, size in enumerate(least) if size > SMALL and cutting.is_cut(least, each)]
    if not patterns:
        return ()
    shown = _shown(cutting, least, patterns)
    assert shown.answer is not None
    row = precision_of(shown.answer, precision)
    arrays = off_arrays(shown.problem, shown.answer, row)
    at, reading = _placed(cutting, shown, row)
    columns = [one for one in arrays if one.place.quantity == "weights" and len(one.rows) == one.shape[0] and not one.whole]
    if not at.step and arrays and len(columns) == len(arrays):
        # what is off in some columns alone is no delta, which has none
        at = Place("weight_gradient", columns[-1].place.layer, (10, 4), reading)
    said = [_of_place(at, reading), f"It shows {' and '.join(map(str, patterns))}; with fewer all is right."]
    said += _of_entries(arrays, at, reading)
    if counts := _of_samples(cutting, least, patterns, {one.place.quantity for one in arrays}):
        said.append(counts)
        # what is off in the sum over samples is no more than that
        if not at.step:
            at = Place("reduction", None, (10, 2), reading)
            said[0] = _of_place(at, reading)
    if as_in_float32(shown.problem, shown.answer, row, arrays):
        said.append(f"It is off by {max(one.relative for one in arrays):.1g} of its size, as sums in float32 would be.")
    said.append("Cause not known.")
    evidence: dict[str, Any] = {"boxes": [], "tables": [_table(each) for each in patterns]}
    if reading is not None and at.layer is not None:
        evidence["boxes"] = [list(box) for box in boxes(reading, at.step, at.layer + (at.step == "error_below"))]
    if time.monotonic() > cutting.deadline or cutting.asks.calls <= 0:
        evidence["not_asked"] = "smaller sizes were not all asked for want of time or calls"
    asked = len(cutting.asked)
    shows = ", ".join(map(str, patterns))
    equation = at.equations[0] if at.equations else None
    return (Diagnosis(at.layer, equation, at.equations, None, shows, " ".join(said), evidence, (), (0, asked)),)


def _shown(cutting: Cutting, least: Sizes, patterns: Sequence[Pattern]) -> Trial:
    """The problem that is read: a little larger than the least, so that a row or a sample beside those that are off is seen too."""
    # of one sample a is read, wherever it shows in one
    sizes = (least[0], *(max(size, min(3, whole)) for size, whole in zip(least[1:], cutting.sizes[1:], strict=True)))
    for each in patterns:
        further = [size for size, shows in each.asked if shows and size > each.begins]
        sizes = (*sizes[: each.dimension], min(further, default=each.begins), *sizes[each.dimension + 1 :])
    for tried in (sizes, least):
        try:
            found = cutting.trial(tried)
        except Spent:
            found = cutting.asked.get(tried)
        if found is not None and found.off and found.answer is not None:
            return found
    return next(trial for trial in cutting.asked.values() if trial.off)


def _placed(cutting: Cutting, shown: Trial, precision: Precision) -> tuple[Place, Reading | None]:
    """The factor that is off, by what is read of a problem without any table, and of the same one with other y."""
    reader = Reader(Table(all_variants()), Network())
    family = [shown.problem]
    if row_of(LOSSES, shown.problem.loss).of_differences:
        family += [shown.problem.replaced(y=precision.held(shown.problem.y + by)) for by in (0.625, -0.4375)]
    asked = []
    for problem in family:
        try:
            asked.append(Asked(Rung(problem, "network", 0), cutting.asks(problem), precision))
        except Spent:
            break
    given = [one for one in asked if one.gradient is not None]
    readings = [reader.read(one) for one in given]
    # one that is off by less than the reader allows has no factor that is
    readings = [each for each in readings if each.layers]
    found = place(given, readings)
    return found, found.reading or next(iter(readings), None)


def _of_place(at: Place, reading: Reading | None) -> str:
    if not at.step:
        return "On small problems all is right; at real sizes a factor is off that cannot be told apart from others."
    named = where(at.step, at.equations, at.layer, at.reading or reading)
    what = FACTORS.get(at.step, "a factor that cannot be told apart from others")
    return f"On small problems all is right; at real sizes the first that is off, from the loss down, is {what}: {named}."


def _of_entries(arrays: Sequence[OffArray], at: Place, reading: Reading | None) -> list[str]:
    """Which rows and columns are off: of dC/dW where it alone is, of the target's own delta, or of its a."""
    if at.step in ("pre_activation", "activation") and reading is not None and (nodes := _nodes_of_a(reading)):
        return [nodes]
    if reading is not None and at.step in ("error_below", "slope", "delta", "output_error", "reduction"):
        layer = next((each for each in reading.layers if each.layer == at.layer), None)
        if layer is not None and layer.own is not None and layer.right is not None:
            with np.errstate(all="ignore"):
                off = ~(np.abs(layer.own - layer.right) <= 1e-4 * np.abs(layer.right - layer.own).max() + 1e-12 * np.abs(layer.right))
            nodes_off = np.flatnonzero(off.any(axis=0))
            if 0 < len(nodes_off) < off.shape[1]:
                return [f"delta of layer {layer.layer} is off in {those(nodes_off, off.shape[1], 'node')}."]
    partly = [one for one in arrays if not one.whole]
    if not partly:
        return []
    return [f"It is off in {'; '.join(map(str, partly[:3]))}."]


def _nodes_of_a(reading: Reading) -> str:
    """The first layer of which the target's own a is off, and in which nodes: of one sample with biases, a is dC/dW over dC/db."""
    one = reading.asked
    gradient, problem = one.gradient, one.problem
    if gradient is None or gradient.biases is None or problem.batch > 1:
        return ""
    for layer in range(1, problem.depth):
        bias = gradient.biases[layer]
        if bias is None:
            return ""
        delta = np.asarray(bias, dtype=np.float64)
        most = int(np.argmax(np.abs(delta)))
        with np.errstate(all="ignore"):
            read = one.products(layer + 1)[most] / delta[most]
            exact = one.exact.passes.forward.activations[layer][0]
            off = np.flatnonzero(~(np.abs(read - exact) <= 1e4 * one.precision.unit * (np.abs(exact) + np.abs(exact).max())))
        if off.size:
            return f"a of layer {layer} is off in {those(off, len(exact), 'node')}."
    return ""


def _of_samples(cutting: Cutting, least: Sizes, patterns: Sequence[Pattern], quantities: set[str]) -> str:
    """What the samples count, where it begins at some number of them; quantities: those of which something is off."""
    of_batch = next((each for each in patterns if each.dimension == 0), None)
    if of_batch is None:
        return ""
    batch = min((size for size, shows in of_batch.asked if shows and size > of_batch.begins), default=of_batch.begins)
    sizes = (batch, *(max(size, min(whole, ROOM)) for size, whole in zip(least[1:], cutting.sizes[1:], strict=True)))
    for tried in (sizes, (batch, *cutting.sizes[1:])):
        try:
            found = cutting.trial(tried)
        except Spent:
            return ""
        if found is not None and found.off and found.answer is not None:
            counts = what_samples_count(found.problem, found.answer, quantities)
            if counts is not None:
                said = of_samples(counts)
                return f"Of the sum over samples, {said}." if said else ""
    return ""


def _table(found: Pattern) -> dict[str, Any]:
    """At which sizes it shows (1), and at which not (0)."""
    rows = [[float(size), float(shows)] for size, shows in found.asked]
    caption = f"at which numbers of {found.name} it shows (1), and at which not (0)"
    return {"kind": "sizes", "caption": caption, "columns": [found.name, "shows"], "rows": rows, "error": 0.0, "note": ""}
