"""The network of a finding as a picture: nodes, edges, values forward and the error that flows back; a large one as blocks."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from backproof.reports.chain import OFF, Step, first_off
from backproof.reports.svg import element, line, picture, text
from backproof.reports.values import short
from properties.judging.judgement import Judgement
from reference.arrays import Array
from reference.functions.parametrised import name_and_parameters
from reference.passes import passes
from reference.problem import Problem

MOST_NODES, MOST_LAYERS, WIDEST = 16, 4, 5
"""Of a network that is drawn node by node."""

NAMED, LABELLED, WEIGHTS_SHOWN = 2, 4, 9
"""Edges of a layer that each have their numbers beside them with names, with signs alone, or their weights alone."""

RADIUS, TOP = 24.0, 46.0
CLOSE, APART = 118.0, 180.0
"""Between the nodes of a layer; further where edges that cross have numbers."""

At = Callable[[int, int], tuple[float, float]]
Known = Mapping[tuple[int, str], Step]


def network_picture(problem: Problem, steps: Sequence[Step], judgement: Judgement | None) -> Markup:
    """The picture of a problem; steps: its chain, () where there is none; judgement: of the answer."""
    fits = sum(problem.widths) <= MOST_NODES and problem.depth <= MOST_LAYERS and max(problem.widths) <= WIDEST
    return _nodes(problem, steps) if fits else _blocks(problem, judgement)


def sample_shown(steps: Sequence[Step]) -> int:
    """The sample whose delta is furthest off, where one is; else the first."""
    for step in steps:
        if step.factor == "delta" and step.differs and step.got is not None:
            with np.errstate(all="ignore"):
                distance = np.nan_to_num(np.abs(step.got - step.exact), nan=np.inf)
            return int(np.argmax(distance.max(axis=1)))
    return 0


def _within_a_node(value: float) -> str:
    """A number that fits a node: with three digits, and no zeros in its exponent; with four where that is shorter."""
    return min(short(value, 3), short(value), key=len).replace("e+0", "e").replace("e+", "e").replace("e−0", "e−")


def _nodes(problem: Problem, steps: Sequence[Step]) -> Markup:
    known = {(step.layer, step.factor): step for step in steps}
    first, sample = first_off(steps), sample_shown(steps)
    with np.errstate(all="ignore"):
        passed = passes(problem).forward
    crossing = any(weights.size > NAMED for weights in problem.weights)
    # where crossing edges have all their numbers, nodes stand further apart; of three and more nodes there is no room for that
    labelled = LABELLED if max(problem.widths) <= 2 else NAMED
    apart = APART if labelled == LABELLED and crossing else CLOSE
    gap = max(190.0, min(300.0 if crossing else 250.0, 900.0 / (problem.depth + 1)))
    height = TOP + apart * (max(problem.widths) - 1) + CLOSE + 4
    width = 90 + gap * problem.depth + 160
    middle = TOP + (apart * (max(problem.widths) - 1) + CLOSE) / 2 - 12

    def at(layer: int, node: int) -> tuple[float, float]:
        return 60 + gap * layer, middle + apart * (node - (problem.widths[layer] - 1) / 2)

    parts: list[Markup] = []
    for layer in range(1, problem.depth + 1):
        parts += _edges(problem, known.get((layer, "weight_gradient")), layer, at, labelled)
    for layer in range(problem.depth + 1):
        for node in range(problem.widths[layer]):
            x, y = at(layer, node)
            parts += _node(known, passed.activations[layer][sample, node], layer, node, sample, x, y)
        parts.append(text(at(layer, 0)[0], 20, _heading(problem, layer), "heading"))
    loss_x = at(problem.depth, 0)[0] + 92
    for node in range(problem.widths[-1]):
        x, y = at(problem.depth, node)
        parts += [
            line(x + RADIUS, y, loss_x, y, "edge"),
            text(loss_x + 6, y + 4, f"y = {short(problem.y[sample, node])}", "value", "start"),
        ]
    parts.append(text(loss_x + 14, 20, "loss", "heading"))
    parts += [
        text(60 - RADIUS, 42, "values forward →", "flow", "start"),
        text(loss_x + 46, 42, "← the error back", "flow back", "end"),
    ]
    return picture(width, height, _described(problem, first), *parts, class_="picture network")


def _edges(problem: Problem, gradient: Step | None, layer: int, at: At, labelled: int) -> list[Markup]:
    """The edges of a layer, with the numbers for which there is room: near the node above, where edges lie furthest apart.

    labelled: the most edges that have all their numbers.
    """
    weights = problem.weights[layer - 1]
    parts, labels = [], []
    share = 0.5 if weights.size <= NAMED else 0.62 if weights.size <= labelled else 0.7
    for j in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            (x1, y1), (x2, y2) = at(layer - 1, k), at(layer, j)
            wrong = gradient is not None and _wrong(gradient, (j, k))
            # a gradient that only follows from a wrong delta is marked less
            state = ("edge off" if gradient.state == OFF else "edge follows") if wrong and gradient is not None else "edge"
            parts.append(line(x1 + RADIUS, y1, x2 - RADIUS, y2, state))
            x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
            named = weights.size <= NAMED
            if weights.size <= WEIGHTS_SHOWN:
                labels.append(
                    text(x, y - 6 if weights.size <= labelled else y + 4, f"{'w = ' if named else ''}{short(weights[j, k])}", "value")
                )
            if gradient is not None and weights.size <= labelled:
                labels.append(text(x, y + 15, f"{'∂C/∂w = ' if named else '∂ '}{short(gradient.exact[j, k])}", "exact"))
                if wrong and gradient.got is not None:
                    labels.append(text(x, y + 29, f"{'yours ' if named else '✗ '}{short(gradient.got[j, k])}", "wrong"))
    return [*parts, *labels]


def _node(known: Known, value: float, layer: int, node: int, sample: int, x: float, y: float) -> list[Markup]:
    """A node with its value, and below it delta, or the gradient of its bias where that alone is off."""
    off = [step for (of, factor), step in known.items() if of == layer and step.state == OFF and factor != "weight_gradient"]
    parts = [element("circle", cx=x, cy=y, r=RADIUS, class_="node off" if off else "node input" if layer == 0 else "node")]
    parts.append(text(x, y + 4, _within_a_node(value), "inside"))
    delta, bias = known.get((layer, "delta")), known.get((layer, "bias_gradient"))
    if bias is not None and bias.got is not None and bias.state == OFF and _wrong(bias, (node,)):
        said, exact, own = "∂C/∂b", bias.exact[node], bias.got[node]
    elif delta is not None:
        said, exact = "δ", delta.exact[sample, node]
        own = delta.got[sample, node] if delta.got is not None and _wrong(delta, (sample, node)) else None
    else:
        return parts
    parts.append(text(x, y + RADIUS + 15, f"{said} = {short(exact)}", "exact"))
    return parts if own is None else [*parts, text(x, y + RADIUS + 29, f"yours {short(own)}", "wrong")]


def _wrong(step: Step, index: tuple[int, ...]) -> bool:
    if step.got is None or step.state not in (OFF, "follows") or step.got.shape != step.exact.shape:
        return False
    return not bool(np.isclose(step.got[index], step.exact[index], rtol=1e-6, atol=0, equal_nan=True))


def _heading(problem: Problem, layer: int) -> str:
    return "input" if layer == 0 else f"layer {layer}: {name_and_parameters(problem.activations[layer - 1])[0]}"


def _described(problem: Problem, first: Step | None) -> str:
    said = f"The network: {problem.widths[0]} inputs, then {', '.join(map(str, problem.widths[1:]))} nodes"
    return f"{said}; the first number that is off stands in layer {first.layer}: {first.name}" if first else said


def _blocks(problem: Problem, judgement: Judgement | None) -> Markup:
    """Layers as blocks, with the shapes of what lies between them."""
    said = {(one.place.quantity, one.place.layer): one for one in (judgement.quantities if judgement else ())}
    gap = 150.0 if problem.depth > 4 else 190.0
    tallest = max(problem.widths)
    size: Array = 30 + 120 * np.log1p(np.array(problem.widths)) / np.log1p(tallest)
    middle, parts = 112.0, []
    xs = [40 + gap * i for i in range(problem.depth + 1)]
    for layer, ((left, right), activation) in enumerate(zip(pairwise(xs), problem.activations, strict=True), 1):
        of_weights, of_biases = said.get(("weights", layer)), said.get(("biases", layer))
        off = [one for one in (of_weights, of_biases) if one is not None and one.said in ("off", "factor")]
        parts.append(line(left + 15, middle, right - 15, middle, "edge off" if off else "edge"))
        x = (left + right) / 2
        parts += [
            text(x, middle - 26, name_and_parameters(activation)[0], "heading"),
            text(x, middle - 9, f"W {problem.widths[layer]} × {problem.widths[layer - 1]}", "value"),
        ]
        if of_weights is not None:
            parts.append(text(x, middle + 17, f"∂C/∂W {_state(of_weights.said)}", "wrong" if of_weights in off else "exact"))
        if of_biases is not None:
            parts.append(text(x, middle + 33, f"∂C/∂b {_state(of_biases.said)}", "wrong" if of_biases in off else "exact"))
    for layer, (x, tall) in enumerate(zip(xs, size, strict=True)):
        parts.append(element("rect", x=x - 13, y=middle - float(tall) / 2, width=26, height=float(tall), rx=6, class_="node block"))
        parts.append(text(x, middle + 92, f"{problem.widths[layer]}", "heading"))
        parts.append(text(x, middle + 108, "inputs" if layer == 0 else f"layer {layer}", "value"))
    described = f"The network as blocks: {'-'.join(map(str, problem.widths))}, batch {problem.batch}"
    return picture(xs[-1] + 50, 232, described, *parts, class_="picture network")


def _state(said: str) -> str:
    return {"right": "right", "off": "off", "factor": "off by a factor"}.get(said, "not judged")
