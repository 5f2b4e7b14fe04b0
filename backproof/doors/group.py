"""The group of all commands, and its help, without what the commands need: that takes a second to import."""

from collections.abc import Callable

import click

from backproof.version import VERSION

RIGHT, NOT_RIGHT, COULD_NOT_RUN, OUR_BUG, INTERRUPTED = 0, 1, 2, 70, 130
EXIT_CODES = "Exit codes: 0 right, 1 not right, 2 could not run or inconclusive, 70 a bug of backproof, 130 interrupted."

COMMANDS = {
    "activations": "List the activations, with their parameters and formulas.",
    "challenge": "Challenge a test: run its COMMAND with faults planted in the answers of its target, and list those that it misses.",
    "check": "Check TARGET on random problems.",
    "compare": "Check several TARGETS on the same problems: one table.",
    "draw": "Draw one problem of a run of `check TARGET` again, as JSON: a finding says with which options.",
    "explain": "Explain a finding, saved in FILE: where the target is wrong and why, and the chain of equations of its problem.",
    "faults": "Test this suite itself: put each known mistake to a check, as a target.",
    "grade": "Grade TARGET, a submission: points by layer and law, and what to change.",
    "history": "List the last runs that a folder remembers: when, verdict, target, seed, and the cause of the first finding.",
    "laws": "List the laws that every right target obeys.",
    "losses": "List the losses, with their parameters and formulas.",
    "oracles": "List the oracles: versions, how far each may be trusted, and how to install what is missing.",
    "replay": "Put the problem of a finding, saved in FILE, to the target again; without FILE, those of all findings that are saved.",
    "report": "Write the report of a run, saved in FILE by `check --json`, again: as a page, as Markdown, or to the terminal.",
    "schema": "Print the JSON Schema of what is saved: it stands alone, for any validator of draft 2020-12.",
    "script": "Write a finding, saved in FILE, as a script that stands alone: for somebody else's tracker.",
    "show": "Show any saved FILE: a run, a finding, a problem, an answer, a judgement, a comparison, a tally, a challenge or a sweep.",
    "sweep": "Sweep one activation of TARGET along z: every number of a 16-bit format, or numbers of every exponent.",
    "verify": "Judge one ANSWER to one PROBLEM: files as Problem.save and Gradient.save write them, JSON or, for large arrays, .npz.",
}
"""What the help says of each: the first sentence of its docstring, in backproof/doors/."""


class Commands(click.Group):
    """A group whose commands are imported when one of them is asked for: load adds them all."""

    load: Callable[[], None]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.load()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="backproof")
def cli() -> None:
    """Says whether an implementation of backpropagation is right, and where it is wrong if it is not."""
