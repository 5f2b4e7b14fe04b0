"""The way in from the shell."""

import gc
import os
import signal
import sys
from tempfile import TemporaryDirectory

import click

from backproof.doors.group import COULD_NOT_RUN, INTERRUPTED, NOT_RIGHT, OUR_BUG, RIGHT, cli


def _load() -> None:
    # what is imported stays: to look for garbage among it takes a tenth of the time, then and in all that follows
    gc.disable()
    try:
        from backproof.doors import command_line  # noqa: F401 (it adds the commands)
    finally:
        gc.freeze()
        gc.enable()


cli.load = _load


def main() -> None:
    """The command `backproof`."""
    # what ends a run from outside, a time limit of CI say, leaves the report so far, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # what Hypothesis keeps for itself has no place in the folder of whoever runs a check
        with TemporaryDirectory(prefix="backproof-") as folder:
            os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", folder)
            sys.exit(cli.main(standalone_mode=False) or RIGHT)
    except click.ClickException as error:
        error.show()
        sys.exit(COULD_NOT_RUN)
    except (click.Abort, KeyboardInterrupt):
        click.echo("backproof: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # whoever read the output has gone: nothing more can be told
        sys.stderr.close()
        sys.exit(NOT_RIGHT)
    except Exception as error:
        import traceback

        traceback.print_exc()
        click.echo(f"backproof: this is a bug of backproof ({type(error).__name__}): please report it with the lines above", err=True)
        sys.exit(OUR_BUG)
