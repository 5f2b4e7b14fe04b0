"""A sweep: what was met of one activation along z, as plain data and as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backproof.findings.text import printable
from backproof.version import VERSION
from properties.sweeps.ranges import Along
from properties.verdict import Verdict, worst
from reference.forms.json_form import choice_data, dump
from reference.functions.parametrised import Choice

SCHEMA, SCHEMA_VERSION = "backproof.sweep", 1

SYMBOLS = {"slope": "g'", "value": "g"}

MEANINGS = {
    "right": "at every number as near to what is exact as honest rounding allows",
    "lossy": "right, by a formula that loses digits somewhere",
    "inconclusive": "not every number could be judged",
    "nonfinite": "infinite or NaN where what is exact is finite and can be computed",
    "wrong": "further from what is exact than any honest rounding",
}

HEADINGS = ("", "met", "z from", "to", "numbers", "verdict", "worst at z", "got", "exact", "units", "of allowed")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a sweep found.

    activation: what it was held against, "" where that is a formula; formula: that; numbers: how many z were asked, every: whether they
    are all finite numbers of the format; quantities: g' and, where it can be read, g; unanswered: how many z had no answer, and why;
    way: how it was read; seed: of the numbers, None where they are all there are.
    """

    target: str
    activation: Choice | None
    formula: str
    precision: str
    numbers: int
    every: bool
    seed: int | None
    quantities: tuple[Along, ...]
    unanswered: int = 0
    why: str = ""
    way: str = ""
    strict: bool = False
    seconds: float = 0.0
    error: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst that was met; right only where every number had an answer."""
        met = [each.verdict for each in self.quantities]
        return worst([*met, Verdict.INCONCLUSIVE] if self.unanswered or not met else met)

    @property
    def passed(self) -> bool:
        """Whether the activation may pass: right, or lossy unless the sweep was strict."""
        return self.verdict.passes(self.strict)

    def data(self) -> dict[str, Any]:
        """The sweep as plain data; what is infinite or no number is a word."""
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "backproof": VERSION,
            "target": self.target,
            "verdict": self.verdict.value,
            "passed": self.passed,
            "error": self.error or None,
            "strict": self.strict,
            "activation": None if self.activation is None else choice_data(self.activation),
            "formula": self.formula or None,
            "precision": self.precision,
            "numbers": self.numbers,
            "every": self.every,
            "seed": self.seed,
            "unanswered": self.unanswered,
            "why": self.why,
            "way": self.way,
            "seconds": round(self.seconds, 3),
            "quantities": [each.data() for each in self.quantities],
        }

    def to_json(self) -> str:
        """The sweep as JSON."""
        return dump(self.data())

    def __str__(self) -> str:
        return sweep_text(self.data())


def sweep_text(data: dict[str, Any]) -> str:
    """The text of the data of a sweep."""
    verdict = Verdict(data["verdict"])
    held = data["formula"] or _named(data["activation"])
    lines = [f"{verdict.value}: {data['target']} ({data['error'] or _meaning(data)})", ""]
    count = f"every one of the {data['numbers']:,} finite numbers" if data["every"] else f"{data['numbers']:,} numbers"
    lines.append(f"{held}, at {count} of {data['precision']}")
    for one in data["quantities"]:
        lines += ["", *_of_quantity(one, data["precision"])]
    rows = [_row(SYMBOLS[one["quantity"]], each) for one in data["quantities"] for each in one["ranges"]]
    lines += [
        "",
        *(_table([HEADINGS, *rows]) if rows else ["no range of z is lossy, wrong, flushed to zero, of the wrong sign or not finite"]),
    ]
    lines.append("")
    if data["unanswered"]:
        lines.append(f"no answer at {data['unanswered']:,} numbers: {data['why']}")
    seed = "" if data["seed"] is None else f"; seed {data['seed']}"
    lines.append(f"{data['way']}{seed}; {data['seconds']:.1f} s")
    return printable("\n".join(lines))


def _meaning(data: dict[str, Any]) -> str:
    """What its verdict means; right where not all numbers could be judged is so at those alone that were."""
    said = MEANINGS[data["verdict"]]
    judged = min((one["judged"] for one in data["quantities"]), default=0)
    if data["verdict"] != Verdict.RIGHT.value or judged >= data["numbers"]:
        return said
    counts = ", ".join(f"{SYMBOLS[one['quantity']]} at {one['judged']:,}" for one in data["quantities"])
    return f"{said.replace('every number', 'every number that was judged,')}: {counts} of {data['numbers']:,}"


def _named(activation: Any) -> str:
    """An activation in words: "gelu", "elu (alpha=-2.0)"."""
    if activation is None or isinstance(activation, str):
        return activation or ""
    parameters = ", ".join(f"{key}={value!r}" for key, value in activation.items() if key != "name")
    return f"{activation['name']} ({parameters})"


def _of_quantity(one: dict[str, Any], precision: str) -> list[str]:
    """What is said of g' or g as a whole."""
    symbol = SYMBOLS[one["quantity"]]
    said = f"{symbol:<3} {one['verdict']}; {one['nearest']:,} of {one['judged']:,} answers are as near as {precision.split('/')[0]} can be"
    lines = [said + (f"; nothing is claimed of {one['unclaimed']:,}, where something leaves the range" if one["unclaimed"] else "")]
    for name, noun in (("by_units", "units in the last place"), ("by_allowed", "times what is allowed")):
        met = one[name]
        if met is not None and met["units"]:
            size = met["units" if name == "by_units" else "allowed"]
            got, exact = _told_apart(met["got"], met["exact"])
            beside = f"got {got}, exact {exact}"
            lines.append(f"    largest error {_short(size)} {noun}, at z = {_number(met['z'])}: {beside}")
    return lines


def _row(symbol: str, one: dict[str, Any]) -> tuple[str, ...]:
    worst = one["worst"]
    verdict = {"inconclusive": "nothing claimed", "right": "right: allowed"}.get(one["verdict"], one["verdict"])
    return (
        symbol,
        one["kind"],
        _short(one["low"]),
        _short(one["high"]),
        f"{one['count']:,} of {one['numbers']:,}",
        verdict,
        _number(worst["z"]),
        *_told_apart(worst["got"], worst["exact"]),
        *(_short(worst[name]) for name in ("units", "allowed")),
    )


def _short(number: Any) -> str:
    return number if isinstance(number, str) else f"{number:.4g}"


def _told_apart(got: Any, exact: Any) -> tuple[str, str]:
    """Two numbers by so many digits that they are two; of what differs in the last of 17 no more is known."""
    if isinstance(got, str) or isinstance(exact, str):
        return _short(got), _short(exact)
    pairs = ((f"{got:.{digits}g}", f"{exact:.{digits}g}") for digits in (4, 9, 17))
    return next((pair for pair in pairs if pair[0] != pair[1]), (_short(got), _short(exact)))


def _number(number: float) -> str:
    """A number that can be pasted: the shortest that gives it back."""
    return repr(number)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
