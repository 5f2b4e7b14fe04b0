"""A finding: what is not right, as plain data that any report can tell and any run can replay."""

import shlex
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backproof.findings.diagnosed import diagnosis_data, diagnosis_of, diagnosis_rows
from backproof.findings.judged import judgement_data, judgement_of
from backproof.findings.shown_problem import problem_rows
from backproof.findings.source import Source
from backproof.findings.text import counted
from backproof.targets.target import TIME_LIMIT
from backproof.version import VERSION
from properties.diagnosis.diagnosis import Diagnosis
from properties.judging.judgement import Judgement
from properties.verdict import Verdict
from reference.errors import ProblemError
from reference.forms.json_form import dump, gradient_data, parse, problem_data
from reference.gradient import Gradient
from reference.problem import Problem

SCHEMA, SCHEMA_VERSION = "backproof.finding", 1

HYPOTHESIS = version("hypothesis")
"""The release that shrinks: another may come to another smallest problem."""


@dataclass(frozen=True)
class Finding:
    """What is not right with a target, on the smallest problem that shows it.

    target: its name; law: the one that is broken; message: why, in words; judgement: the worst entry, where entries were compared;
    answer: what the target gave, if it gave a gradient; seen: in how many of the examined problems the same was found;
    seed: of the run; index: of a problem of that run that showed it, before it was shrunk;
    drawn_in: the precision in which that problem's numbers are exact; drawn_by: which problems were asked for, as --sizes real;
    shrunk: "in full", "cut short" (by its time limit) or "not at all";
    time_limit: seconds that a call of the target might take;
    source: what the target's own file says of how it is called, None where that is not known;
    fresh: whether it shows in a fresh process too; if not, the target keeps something from call to call;
    diagnoses: of each mistake that the run found in the target, the output-most first, in the run's first finding alone; where nothing is
        worse than lossy, in each finding of each formula that loses digits there.
    """

    target: str
    verdict: Verdict
    law: str
    message: str
    problem: Problem
    judgement: Judgement | None
    answer: Gradient | None
    precision: str | None
    seed: int
    index: int = 0
    drawn_in: str = "float64"
    seen: int = 1
    shrunk: str = "not at all"
    oracles: tuple[str, ...] = ()
    fresh: bool = True
    drawn_by: str = ""
    time_limit: float = TIME_LIMIT
    source: Source | None = None
    diagnoses: tuple[Diagnosis, ...] = ()

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The first diagnosis: where and why, None where none was made."""
        return self.diagnoses[0] if self.diagnoses else None

    @property
    def layer(self) -> int | None:
        """The layer that is wrong, from 1; None where none is meant, or known."""
        return self.diagnosis.layer if self.diagnosis else None

    @property
    def equation(self) -> int | None:
        """The equation of the note that is wrong; None where it is none, or not known."""
        return self.diagnosis.equation if self.diagnosis else None

    @property
    def equations(self) -> tuple[int, ...]:
        """All the equations that the mistake may sit in."""
        return self.diagnosis.equations if self.diagnosis else ()

    @property
    def cause(self) -> str | None:
        """The mistake by its name, where it is certain."""
        return self.diagnosis.cause if self.diagnosis else None

    @property
    def shows_when(self) -> str:
        """When the mistake shows, in words."""
        return self.diagnosis.shows_when if self.diagnosis else ""

    @property
    def explanation(self) -> str:
        """Where and why, in one to three sentences."""
        return self.diagnosis.explanation if self.diagnosis else ""

    @property
    def evidence(self) -> dict[str, Any]:
        """The network as a row of boxes, and the factor that was read beside the exact one."""
        return self.diagnosis.evidence if self.diagnosis else {}

    @property
    def same_as(self) -> tuple[str, ...]:
        """What gives the same numbers as the cause."""
        return self.diagnosis.same_as if self.diagnosis else ()

    @property
    def reproduced(self) -> tuple[int, int]:
        """How many answers a network with the causes gives, of how many."""
        return self.diagnosis.reproduced if self.diagnosis else (0, 0)

    @property
    def disagreement(self) -> bool:
        """Whether the reference and ball arithmetic disagree: no fault of the target, but a mistake in backproof."""
        return self.judgement is not None and self.judgement.disagreement

    def rows(self, saved: Path | None = None) -> list[tuple[str, str]]:
        """What a person wants to know of it, by name, where there is something to say; saved: the file that replays it."""
        rows = [("law", self.law), ("why", self.message)]
        if self.judgement is not None:
            rows += [row for row in self.judgement.rows() if row != ("why", self.message)]
        rows += [row for diagnosis in self.diagnoses for row in diagnosis_rows(diagnosis)]
        rows += problem_rows(self.problem)
        more = " (--shrink-seconds allows more)" if self.shrunk == "cut short" else ""
        rows.append(("shrunk", f"{self.shrunk}{more}; seen in {counted(self.seen, 'problem')} of the run"))
        if not self.fresh:
            rows.append(
                ("state", "it does not show in a fresh process: the target keeps something from call to call, and a replay cannot show it")
            )
        rows.append(("seed", f"{self.seed}; before shrinking: {self._drawn_again()}"))
        if saved is not None:
            rows.append(("replay", f"backproof replay {shlex.quote(str(saved))}"))
        return [(name, said) for name, said in rows if said]

    def _drawn_again(self) -> str:
        """How the problem is had again: a command, or a call where the target's name is none that a command could find."""
        if ":" not in self.target:
            precision = "" if self.drawn_in == "float64" else f", precision={self.drawn_in!r}"
            limits = f" and what {self.drawn_by} says" if self.drawn_by else ""
            return f"backproof.problem_at({self.index}, {self.seed}, target=...{precision}), the target in its place{limits}"
        options = f"{'' if self.drawn_in == 'float64' else f' --precision {self.drawn_in}'} {self.drawn_by}".rstrip()
        return f"backproof draw {shlex.quote(self.target)} --seed {self.seed} --index {self.index}{options}"

    def data(self) -> dict[str, Any]:
        """The finding as plain data; a replay needs no more."""
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "backproof": VERSION,
            "target": self.target,
            "verdict": self.verdict.value,
            "law": self.law,
            "message": self.message,
            "precision": self.precision,
            "seed": self.seed,
            "hypothesis": HYPOTHESIS,
            "index": self.index,
            "drawn_in": self.drawn_in,
            "drawn_by": self.drawn_by,
            "time_limit": self.time_limit,
            "source": None if self.source is None else self.source.data(),
            "disagreement": self.disagreement,
            "seen": self.seen,
            "shrunk": self.shrunk,
            "fresh": self.fresh,
            "oracles": list(self.oracles),
            "judgement": None if self.judgement is None else judgement_data(self.judgement),
            "diagnoses": [diagnosis_data(diagnosis) for diagnosis in self.diagnoses],
            "problem": problem_data(self.problem),
            "answer": None if self.answer is None else gradient_data(self.answer),
        }

    def to_json(self) -> str:
        """The finding as JSON."""
        return dump(self.data())


def finding_of(text: str) -> Finding:
    """The finding that to_json wrote. Raises ProblemError."""
    return finding_of_data(parse(text))


def finding_of_data(data: Any, strict: bool = False) -> Finding:
    """The finding of plain data; strict: whether its run was. Raises ProblemError."""
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ProblemError(f"no finding: expected an object with schema {SCHEMA!r}, as a run saves it")
    if data.get("version") != SCHEMA_VERSION:
        raise ProblemError(f"version is {data.get('version')!r}: this backproof reads version {SCHEMA_VERSION} of {SCHEMA}")
    try:
        return Finding(
            target=_text(data, "target"),
            verdict=Verdict(data["verdict"]),
            law=_text(data, "law"),
            message=_text(data, "message"),
            problem=Problem.from_data(data["problem"]),
            judgement=None if data["judgement"] is None else judgement_of(data["judgement"], strict),
            answer=None if data["answer"] is None else Gradient.from_data(data["answer"]),
            precision=None if data["precision"] is None else _text(data, "precision"),
            seed=int(data["seed"]),
            index=int(data["index"]),
            drawn_in=_text(data, "drawn_in"),
            seen=int(data["seen"]),
            shrunk=_text(data, "shrunk"),
            oracles=tuple(str(name) for name in data["oracles"]),
            fresh=bool(data["fresh"]),
            drawn_by=_text(data, "drawn_by"),
            # what was written before there were any says none of these
            time_limit=float(data.get("time_limit", TIME_LIMIT)),
            source=None if data.get("source") is None else Source.of_data(data["source"]),
            diagnoses=tuple(diagnosis_of(each) for each in data.get("diagnoses", ())),
        )
    except ProblemError:
        raise
    except KeyError as error:
        raise ProblemError(f"no finding: {error.args[0]!r} is missing") from None
    except (TypeError, ValueError) as error:
        raise ProblemError(f"no finding: {error}") from None


def _text(data: dict[str, Any], name: str) -> str:
    if not isinstance(data[name], str):
        raise TypeError(f"{name!r} is {data[name]!r}, expected a string")
    return str(data[name])
