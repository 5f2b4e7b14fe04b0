"""A report: what a run found, and what it rests on, as plain data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from backproof.findings.finding import Finding, finding_of_data
from backproof.findings.judged import unjudged_of
from backproof.findings.known_laws import JUDGES
from backproof.findings.saved import text_of
from backproof.findings.text import counted, label, printable
from backproof.version import VERSION
from properties.judging.blindness import Blind
from properties.judging.judgement import DISAGREEMENT, Unjudged
from properties.judging.nearness import Nearness
from properties.verdict import Verdict, worst
from reference.errors import ProblemError
from reference.forms.json_form import dump, parse
from rounding.precisions import PRECISIONS

SCHEMA, SCHEMA_VERSION = "backproof.report", 1

MOST_BLIND = 3
"""Of so many functions it is told where a run is blind to their slopes; the report as JSON has all."""


@dataclass
class LawCount:
    """How often one law was held, broken, and not applicable, with the reasons for the last and their counts."""

    held: int = 0
    broken: int = 0
    not_applicable: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """held, broken or not applicable: one word for the run."""
        return "broken" if self.broken else "held" if self.held else "not applicable"


@dataclass(frozen=True)
class Report:
    """What a run of check found.

    findings: what is not right, the worst first, but for one that explains the others; laws: by name, how each fared;
    examples: problems that were posed; judged: problems whose gradient was judged; audited: right answers that ball arithmetic was asked
    about as well;
    precision: what was judged by; interrupted: whether the run was ended from outside; notes: what else a reader should know;
    doubts: problems of which nothing can be said, but that the answer would be wrong with sums in float32, where the precision is only
    guessed from the answers' dtype; sees: the smallest relative error in one "entry", "row" or "layer" that a few of its problems would
    have shown, measured; nearness: how far passing answers are from the exact gradient, and others on the same problems, over half units
    in the last place, by precision, the target first;
    blind: ranges of pre-activations in which an activation's slope may be missing unseen;
    unjudged: the layers' dC/dW and dC/db of which nothing could be said in any problem, and why;
    tally: all that was counted, as Tally.from_data reads it, None where nothing could be run;
    error: why nothing could be run, "" if it could; right_if_tame: whether a target that fails is right for moderate numbers;
    drawn_by: which problems were asked for, as --sizes real; asked_by: the other options, as --max-examples 40; environment: releases of
    what it ran in; saved: the file that replays each finding, in their order, where there are some.
    """

    target: str
    findings: tuple[Finding, ...]
    laws: dict[str, LawCount]
    seed: int
    examples: int
    judged: int
    audited: int
    precision: str
    strict: bool = False
    interrupted: bool = False
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    doubts: int = 0
    sees: dict[str, float] = field(default_factory=dict)
    blind: tuple[Blind, ...] = ()
    nearness: tuple[Nearness, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()
    tally: dict[str, Any] | None = None
    error: str = ""
    right_if_tame: bool = False
    drawn_by: str = ""
    asked_by: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    saved: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """That of the first finding, which is the worst or explains the others, if it fails; else the worst that was found.

        Right only if every layer was judged, nothing is in doubt, and the run came to its end.
        """
        found = [finding.verdict for finding in self.findings]
        # what could not be judged, or is a mistake in backproof, is no word on the target
        own = [one.verdict for one in self.findings if not one.disagreement and one.verdict is not Verdict.INCONCLUSIVE]
        if own and not own[0].passes():
            return own[0]
        complete = self.judged and not self.interrupted and not self.doubts and not self.unjudged
        return worst([*found, Verdict.RIGHT if complete else Verdict.INCONCLUSIVE])

    @property
    def disagreement(self) -> bool:
        """Whether the reference and ball arithmetic disagree somewhere: a mistake in backproof, whatever else was found."""
        return any(finding.disagreement for finding in self.findings)

    @property
    def meaning(self) -> str:
        """One sentence for a person who reads the verdict."""
        if self.disagreement:
            return DISAGREEMENT
        if self.verdict is Verdict.INCONCLUSIVE and self.interrupted:
            return "interrupted before its end, with nothing wrong so far"
        if self.verdict is Verdict.INCONCLUSIVE and self.doubts:
            return f"right or wrong as its sums are kept, on {self.doubts} of {self.examples} problems: see the note"
        if self.verdict is Verdict.INCONCLUSIVE and self.unjudged:
            return f"nothing could be said of {'; '.join(str(one.place) for one in self.unjudged)} in any problem: see the note"
        if self.verdict is Verdict.RIGHT and JUDGES not in self.laws:
            return f"{counted(len(self.laws), 'law')} asked for, held; no answer was held against the exact gradient"
        return f"{self.verdict.meaning}; right for moderate numbers: see the note" if self.right_if_tame else self.verdict.meaning

    @property
    def passed(self) -> bool:
        """Whether the target may pass: right, or lossy unless the run was strict."""
        return self.verdict.passes(self.strict)

    def data(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "backproof": VERSION,
            "target": self.target,
            "verdict": self.verdict.value,
            "passed": self.passed,
            "error": self.error or None,
            "disagreement": self.disagreement,
            "strict": self.strict,
            "precision": self.precision,
            "seed": self.seed,
            "examples": self.examples,
            "judged": self.judged,
            "audited": self.audited,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "doubts": self.doubts,
            "sees": self.sees,
            "blind": [vars(blind) for blind in self.blind],
            "unjudged": [one.data() for one in self.unjudged],
            "laws": {name: vars(count) | {"status": count.status} for name, count in self.laws.items()},
            "right_if_tame": self.right_if_tame,
            "drawn_by": self.drawn_by,
            "asked_by": self.asked_by,
            "environment": self.environment,
            "saved": list(self.saved),
            "nearness": [one.data() for one in self.nearness],
            "tally": self.tally,
            "findings": [finding.data() for finding in self.findings],
        }

    def to_json(self) -> str:
        """The report as JSON."""
        return dump(self.data())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The report that to_json wrote. Raises ProblemError."""
        return cls(**vars(report_of(text)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `backproof check --json FILE` wrote. Raises ProblemError, with the file's name, and OSError."""
        try:
            return cls.from_json(text_of(Path(path)))
        except (ProblemError, UnicodeDecodeError) as error:
            raise ProblemError(f"{path}: {error}") from None

    def laws_told(self) -> list[tuple[str, str]]:
        """How many laws were held, and how the others fared: broken, or never applicable, those with one reason together; with a status."""
        held = [name for name, count in self.laws.items() if count.status == "held"]
        told = [("held", f"{len(held)} of {len(self.laws)} laws held wherever they applied")]
        alike: dict[str, list[str]] = {}
        for name, count in self.laws.items():
            if count.broken:
                told.append((count.status, f"{count.status}: {name}, in {count.broken} of {count.held + count.broken} problems"))
            elif not count.held:
                alike.setdefault("; ".join(count.reasons) or "no problem came to it", []).append(name)
        return told + [("not applicable", f"not applicable: {', '.join(names)}: {why}") for why, names in alike.items()]

    def summary(self) -> list[str]:
        """What the run rests on, what it would have seen, and where it is blind: a line each."""
        audited = f"{self.audited} also checked by ball arithmetic"
        sees = ", ".join(f"{name} {e:.0e}" for name, e in self.sees.items())
        lines = [
            f"{counted(self.examples, 'problem')}, {self.judged} judged, {audited}; judged by {self.precision}"
            f"{', strictly' if self.strict else ''}; seed {self.seed}; {round(self.seconds, 3):.1f} s",
            f"smallest detectable relative error: {sees}" if sees else "",
            *self.nearness_told(),
            f"blind in {self.precision}, where a slope of 0 would pass: {self._blind()}" if self.blind else "",
        ]
        return [line for line in lines if line]

    def nearness_told(self) -> list[str]:
        """How near the answers are, a line for each precision: in half units in the last place, the best possible rounding being 1."""
        lines = []
        for precision in dict.fromkeys(one.precision for one in self.nearness):
            told = [f"{one.who} {_size(one.median)}, at most {_size(one.largest)}" for one in self.nearness if one.precision == precision]
            lines.append(f"rounding in {precision}, where the best possible is 1: {'; '.join(told)}")
        return lines

    def _blind(self) -> str:
        """The functions whose slopes are seen least, each with its ranges of z: "gelu' for z from -16 to -1.9 and from -0.97 to -0.61"."""
        ranges: dict[str, list[str]] = {}
        for blind in self.blind:
            ranges.setdefault(blind.function, []).append(f"from {blind.low:.2g} to {blind.high:.2g}")
        told = [f"{function} for z {' and '.join(found)}" for function, found in ranges.items()]
        more = f", and {len(told) - MOST_BLIND} more" if len(told) > MOST_BLIND else ""
        sharper = f"{PRECISIONS[self.precision].storage}/float32/float32"
        hint = f" (--precision {sharper} sees more, of a target whose functions are computed in float32, as PyTorch's are)"
        return ", ".join(told[:MOST_BLIND]) + more + (hint if sharper in PRECISIONS and sharper != self.precision else "")

    def __str__(self) -> str:
        lines = [f"{self.verdict.value}: {self.target} ({self.meaning})"]
        for finding in self.findings:
            lines += ["", finding.verdict.value, *(f"{label(name)}{said}" for name, said in finding.rows())]
        lines += ["", *(said for _, said in self.laws_told()), "", *self.summary(), *(f"note: {note}" for note in self.notes)]
        return printable("\n".join(lines))


def _size(number: float) -> str:
    return f"{number:.2g}" if number < 1000 else f"{number:.0e}"


def report_of(text: str) -> Report:
    """The report that to_json wrote. Raises ProblemError."""
    return report_of_data(parse(text))


def report_of_data(data: Any) -> Report:
    """The report of plain data. Raises ProblemError."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ProblemError(f"no report: expected an object with schema {SCHEMA!r}, as `backproof check --json FILE` writes it")
    if data.get("version") != SCHEMA_VERSION:
        raise ProblemError(f"version is {data.get('version')!r}: this backproof reads version {SCHEMA_VERSION} of {SCHEMA}")
    try:
        return _read(data)
    except ProblemError:
        raise
    except KeyError as error:
        raise ProblemError(f"no report: {error.args[0]!r} is missing") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise ProblemError(f"no report: {error}") from None


def _read(data: dict[str, Any]) -> Report:
    """Raises KeyError, TypeError, ValueError and ProblemError."""
    strict = bool(data["strict"])
    counts = {
        str(name): LawCount(int(one["held"]), int(one["broken"]), int(one["not_applicable"]), dict(one["reasons"]))
        for name, one in data["laws"].items()
    }
    return Report(
        target=str(data["target"]),
        findings=tuple(finding_of_data(one, strict) for one in data["findings"]),
        laws=counts,
        # of a run that could not begin there is none
        seed=0 if data["seed"] is None else int(data["seed"]),
        examples=int(data["examples"]),
        judged=int(data["judged"]),
        audited=int(data["audited"]),
        precision=str(data["precision"]),
        strict=strict,
        interrupted=bool(data["interrupted"]),
        seconds=float(data["seconds"]),
        notes=tuple(str(note) for note in data["notes"]),
        doubts=int(data["doubts"]),
        sees={str(name): float(size) for name, size in data["sees"].items()},
        blind=tuple(Blind(**one) for one in data["blind"]),
        unjudged=tuple(unjudged_of(one) for one in data["unjudged"]),
        # older ones lack what follows
        tally=data.get("tally"),
        error=str(data["error"] or ""),
        right_if_tame=bool(data.get("right_if_tame", False)),
        drawn_by=str(data.get("drawn_by", "")),
        asked_by=str(data.get("asked_by", "")),
        environment={str(name): str(release) for name, release in data.get("environment", {}).items()},
        saved=tuple(str(file) for file in data.get("saved", ())),
        nearness=tuple(Nearness(**one) for one in data.get("nearness", ())),
    )
