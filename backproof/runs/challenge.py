"""A test, challenged: its command is run as it is, and once for each fault that is planted in the answers of its target."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backproof.findings.challenged import Challenged, Outcome, Planting
from backproof.findings.text import counted
from backproof.planted.answer_faults import ANSWER_FAULTS, IN_ONE_OUTPUT
from backproof.planted.plant import CALLS_TRIED, NOTHING, NOTHING_OF_THE_CATALOGUE, OUTPUTS_TRIED
from backproof.runs.test_command import Ran, TestCommand
from backproof.targets.target import TargetError
from properties.faults.table import FAULTS

PLAIN_LIMIT = 600.0
"""Seconds that the test as it is may take, where no limit is said."""

TIMES_THE_PLAIN, LEAST_LIMIT = 10.0, 30.0
"""So many times as long as the plain run a run with a fault may take, and never less seconds than that."""

NEAR = 0.8
"""How near a word is to one of a fault's name that it was meant for, by difflib's ratio."""

Told = Callable[[str, int, int], None]


def challenge(
    command: str,
    target: str,
    *,
    only: str = "",
    catalogue: bool = False,
    keeps: Sequence[str] = (),
    layout: str = "",
    time_limit: float | None = None,
    jobs: int = 1,
    progress: Told | None = None,
) -> Challenged:
    """What a test sees of faults that are planted in the answers of a function.

    command: what runs the test, split into words as a shell does it, though none is asked; "{python}" is this Python.
    target: package.module:function, package.module:Class.method or path/to/file.py:function.
    only: faults whose label holds this; catalogue: whether the known mistakes of docs/faults.md are planted too, where the target takes a
    problem; layout: in what form it is given one where it takes arrays, as "samples=columns, loss=mean_squared_error"; keeps: attributes of
    its object in which a method leaves a part of its answer.
    time_limit: seconds for each run of the test, None for ten times the plain run, at least 30; jobs: how many runs at a time; progress:
    told how it goes on.
    Raises TargetError where the test fails as it is, never calls the target, or cannot be run.
    """
    started = time.monotonic()
    said: Told = progress or (lambda step, done, total: None)
    catalogue = catalogue or bool(layout)
    _check_only(only, [*ANSWER_FAULTS, *(FAULTS if catalogue else ())])
    with TemporaryDirectory(prefix="backproof-") as folder:
        test = TestCommand(command, target, Path(folder), keeps=keeps, layout=layout)
        said("the test as it is", 0, 1)
        plain = _passing(test, test.plain(time_limit or PLAIN_LIMIT))
        limit = time_limit or max(LEAST_LIMIT, TIMES_THE_PLAIN * plain.seconds)
        said("the test with its target wrapped", 0, 1)
        control = _wrapped(test, test.planted(NOTHING_OF_THE_CATALOGUE if catalogue else NOTHING, limit))
        told = control.events("called")
        form = _form(told)
        every = [*_labels(form), *(FAULTS if catalogue else ())]
        labels = [label for label in every if only in label]
        if not labels:
            raise TargetError(f"no fault has {only!r} in its name: expected a part of {', '.join(_labels(form))}")
        leaves = tuple(sorted({event["what"] for event in control.events("leaves")}))
        result = Challenged(command=command, target=target, calls=len(told), form=form, leaves=leaves, plain_seconds=plain.seconds)
        try:
            plantings = _planted(test, labels, control, limit, jobs, said)
        except _Interrupted as interrupt:
            waiting = len(labels) - len(interrupt.plantings)
            seconds = time.monotonic() - started
            return result.with_plantings(interrupt.plantings, interrupted=True, waiting=waiting, seconds=seconds)
        if not any(planting.outcome is not Outcome.NOT_COUNTED for planting in plantings):
            raise TargetError(f"no fault changes anything in the answers of {target}: {plantings[0].how}")
        return result.with_plantings(plantings, seconds=time.monotonic() - started)


class _Interrupted(Exception):
    """Ctrl-C, with what is known by then."""

    def __init__(self, plantings: list[Planting]) -> None:
        self.plantings = plantings


def _check_only(only: str, names: Sequence[str]) -> None:
    """Raises TargetError of a word that is misspelt, before the test has run. What is near to no name may be one in the answer's path."""
    if any(only in name for name in names):
        return
    parts: dict[str, str] = {}
    for name in names:
        words = name.split("_")
        for first in range(len(words)):
            for end in range(first + 1, len(words) + 1):
                parts.setdefault("_".join(words[first:end]), name)
    near = list(dict.fromkeys(parts[part] for part in get_close_matches(only, parts, cutoff=NEAR)))
    if near:
        raise TargetError(f"no fault has {only!r} in its name: did you mean {' or '.join(near)}?")


def _form(told: Iterable[dict[str, Any]]) -> tuple[tuple[str, str, str], ...]:
    """Path, type and shape of each array of the first answer, and of those of later ones that have another path."""
    met: dict[str, tuple[str, str, str]] = {}
    for event in told:
        for path, kind, shape in event["what"] or ():
            met.setdefault(path, (path, kind, shape))
    return tuple(met.values())


def _labels(form: Iterable[tuple[str, ...]]) -> list[str]:
    """All faults that there are of answers of a form."""
    # the path of an answer that is an array itself is "", and the fault is in all of it
    paths = [one[0] for one in form if one[0]]
    return [*ANSWER_FAULTS, *(f"{IN_ONE_OUTPUT} {path}" for path in (paths[:OUTPUTS_TRIED] if len(paths) > 1 else ()))]


def _planted(test: TestCommand, labels: list[str], control: Ran, limit: float, jobs: int, said: Told) -> list[Planting]:
    """Each fault in a run of the test, but those of which the control has shown that they change nothing. Raises _Interrupted."""
    done: dict[str, Planting] = {}
    shown = {event["what"] for event in control.events("possible")}
    calls: dict[int, int] = {}
    for event in control.events("called"):
        calls[event["process"]] = calls.get(event["process"], 0) + 1
    for label in labels:
        if label not in shown and max(calls.values()) <= CALLS_TRIED:
            done[label] = Planting(label, Outcome.NOT_COUNTED, _why_not(label, control))
    waiting = [label for label in labels if label not in done]
    with ThreadPoolExecutor(jobs) as pool:
        runs = {pool.submit(test.planted, label, limit): label for label in waiting}
        try:
            said("planting faults", 0, len(waiting))
            for number, run in enumerate(as_completed(runs), 1):
                done[runs[run]] = _outcome(runs[run], run.result(), limit)
                said("planting faults", number, len(waiting))
        except KeyboardInterrupt:
            raise _Interrupted([done[label] for label in labels if label in done]) from None
        finally:
            test.end_all()
            pool.shutdown(cancel_futures=True)
    return [done[label] for label in labels]


def _outcome(label: str, ran: Ran, limit: float) -> Planting:
    """What the test made of a fault."""
    if not ran.events("changed"):
        why = _why_not(label, ran)
        if ran.failed:
            why += f"; the test failed all the same ({ran.how(limit)}): it is not the same from run to run"
        return Planting(label, Outcome.NOT_COUNTED, why, ran.seconds)
    if ran.failed:
        return Planting(label, Outcome.SEEN, ran.how(limit), ran.seconds)
    return Planting(label, Outcome.MISSED, "", ran.seconds)


def _why_not(label: str, ran: Ran) -> str:
    """Why a fault changed nothing."""
    for event in ("failed", "left_alone"):
        for each in ran.events(event):
            name, _, reason = each["what"].partition(": ")
            if name == label:
                return f"it could not be made ({reason})" if event == "failed" else str(reason)
    return "it changes nothing in the answers" if ran.events("called") else "the target was not called"


def _kept_instead(ran: Ran) -> str:
    """What to say where the answer stays in an object."""
    names = sorted({event["what"] for event in ran.events("leaves")})
    return f"; it leaves arrays in its object: --keeps {','.join(names)} plants faults there" if names else ""


def _passing(test: TestCommand, ran: Ran) -> Ran:
    """The run of a test that passes. Raises TargetError."""
    if ran.failed:
        why = f"takes more than {ran.limit:.0f} s" if ran.timed_out else f"fails ({ran.ended_by})"
        raise TargetError(f"the test {why} as it is, before any fault is planted: {test.command}{ran.last_lines()}")
    return ran


def _wrapped(test: TestCommand, ran: Ran) -> Ran:
    """The run of a test whose target is wrapped, and whose answers are as they were. Raises TargetError where none could be faulted."""
    name, _, path = test.target.rpartition(":")
    if not ran.events("started"):
        raise TargetError(
            f"no Python that took the fault was started by {test.command}: it must be Python 3.10 or later, and read "
            "PYTHONPATH (python -I and -E do not, nor does a program that clears the environment, as tox may)"
        )
    for event in ran.events("missing"):
        raise TargetError(f"target {test.target!r}: {event['what']}")
    if not ran.events("planted"):
        others = sorted({event["what"] for event in ran.events("elsewhere")})
        advice = f"; {', '.join(others)} was: say {others[0]}:{path}" if others else ": expected the name by which the test imports it"
        raise TargetError(f"the test never imports {name}, the module of the target{advice}{ran.last_lines() if ran.failed else ''}")
    if ran.failed:
        raise TargetError(
            f"the test passes as it is, and fails ({ran.ended_by}) where its target is only wrapped and answers the same: either it is not "
            f"the same from run to run, or it looks at the target's code or type, as a compiler does{ran.last_lines()}"
        )
    if not ran.events("called"):
        raise TargetError(f"the test imports {name} and never calls {path}: name the function that it calls, or another test")
    for event in ran.events("failed"):
        if event["what"].startswith(NOTHING_OF_THE_CATALOGUE):
            raise TargetError(f"the known mistakes cannot be planted where the test runs ({event['what']}): install backproof there")
    if not any(event["what"] for event in ran.events("called")):
        raise TargetError(
            f"{test.target} is called {counted(len(ran.events('called')), 'time')} and answers nothing that a fault could be planted in: "
            f"expected arrays of NumPy, PyTorch or JAX, or numbers, in tuples, lists, dicts or dataclasses{_kept_instead(ran)}"
        )
    return ran
