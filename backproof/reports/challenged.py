"""What a test sees, for a terminal and as Markdown."""

from rich.console import Group, RenderableType
from rich.text import Text

from backproof.findings.challenged import Challenged, Outcome, Planting
from backproof.findings.text import counted, printable
from backproof.planted.record import CALLS_TOLD

SAID = {Outcome.MISSED: "missed", Outcome.SEEN: "seen", Outcome.NOT_COUNTED: "not counted"}
STYLES = {Outcome.MISSED: "bold red", Outcome.SEEN: "bold green", Outcome.NOT_COUNTED: "dim"}
LONGEST_HOW, ARRAYS_SHOWN = 110, 6
"""Characters that are shown of how a test failed; arrays of an answer that are listed."""


def headline(challenged: Challenged) -> str:
    """The share, in a line."""
    share = f"sees {challenged.seen} of {challenged.counted} planted faults"
    if challenged.counted:
        share += f", {100 * challenged.seen / challenged.counted:.0f} %"
    return share + (f" (interrupted: {challenged.waiting} were not planted)" if challenged.interrupted else "")


def about(challenged: Challenged) -> list[tuple[str, str]]:
    """What was asked."""
    shown = [" ".join(filter(None, one)) for one in challenged.form]
    more = [f"and {len(shown) - ARRAYS_SHOWN} more"] if len(shown) > ARRAYS_SHOWN else []
    form = ", ".join(shown[:ARRAYS_SHOWN] + more)
    names = ", ".join(f".{name}" for name in challenged.leaves)
    note = f"it leaves arrays in {names} of its object too: --keeps {','.join(challenged.leaves)} plants faults there"
    # each process tells so many alone
    called = f"{challenged.calls:,} times or more" if challenged.calls >= CALLS_TOLD else counted(challenged.calls, "time")
    rows = [
        ("test", f"{challenged.command} (passes as it is, in {challenged.plain_seconds:.1f} s)"),
        ("target", f"{challenged.target}, called {called}"),
        ("answers", form),
    ]
    return rows + ([("note", note)] if challenged.leaves else [])


def said_of(planting: Planting) -> str:
    """What there is to say of a fault: if it is missed, what it would do to a training."""
    if planting.outcome is Outcome.MISSED:
        return f"{planting.explanation}: {planting.consequence}"
    if planting.outcome is Outcome.SEEN:
        how = planting.how if len(planting.how) <= LONGEST_HOW else f"{planting.how[: LONGEST_HOW - 3]}..."
        return f"{planting.explanation}: {how}"
    return planting.how


def challenged_view(challenged: Challenged, width: int | None = None) -> RenderableType:
    """The faults that a test misses, sees, and that are not counted, for rich to print. width: of the terminal; None to break nothing."""
    style = STYLES[Outcome.SEEN] if challenged.passed else STYLES[Outcome.MISSED]
    parts: list[RenderableType] = [Text.assemble((headline(challenged), style), f": {printable(challenged.target)}"), Text()]
    parts += [Text(f"  {name:<9}{printable(said)}") for name, said in about(challenged)]
    for outcome, word in SAID.items():
        plantings = challenged.having(outcome)
        if not plantings:
            continue
        names = max(len(planting.label) for planting in plantings)
        parts += [Text(), Text(word, STYLES[outcome])]
        parts += [_row(planting, names, width) for planting in plantings]
    parts += [Text(), Text(f"{counted(len(challenged.plantings), 'fault')}, {challenged.seconds:.1f} s")]
    return Group(*parts)


def _row(planting: Planting, names: int, width: int | None) -> Text:
    start, said = f"  {printable(planting.label):<{names}}  ", printable(said_of(planting))
    if width is None:
        return Text(start + said)
    if width < len(start) + 40:
        return Text(f"  {printable(planting.label)}\n      {said}")
    lines, room = [""], width - len(start)
    for word in said.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return Text(start + f"\n{' ' * len(start)}".join(lines))


def challenged_markdown(challenged: Challenged) -> str:
    """The same as Markdown."""
    lines = [f"## `{challenged.target}`: the test {headline(challenged)}", ""]
    lines += [f"- {name}: {_cell(said)}" for name, said in about(challenged)]
    lines += ["", "| fault | in place of the answer | the test | what it would do to a training |", "| --- | --- | --- | --- |"]
    for outcome, word in SAID.items():
        for planting in challenged.having(outcome):
            said = word if outcome is not Outcome.NOT_COUNTED else f"{word}: {planting.how}"
            consequence = planting.consequence if outcome is Outcome.MISSED else ""
            lines.append(f"| `{_code(planting.label)}` | {_cell(planting.explanation)} | {_cell(said)} | {_cell(consequence)} |")
    return "\n".join(lines)


def _code(text: str) -> str:
    """A name between backticks, where nothing but the end of a cell needs an escape."""
    return printable(text).replace("|", "\\|").replace("\n", " ")


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
