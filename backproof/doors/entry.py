"""The way in from the shell."""

import errno
import gc
import os
import signal
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import NoReturn

import click

from backproof.doors.group import COULD_NOT_RUN, INTERRUPTED, NOT_RIGHT, OUR_BUG, RIGHT, cli

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where there is no more room for what is written."""


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
    except OSError as error:
        if error.errno not in FULL or error.filename:
            _our_bug(error)
        with suppress(OSError):  # both may be there
            click.echo(f"backproof: the output cannot be written: {error.strerror}", err=True)
        # what is left in the buffer would be written, and fail, once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(COULD_NOT_RUN)
    except Exception as error:
        _our_bug(error)


def _our_bug(error: Exception) -> NoReturn:
    """Say all that is known of a mistake of our own, and leave."""
    import traceback

    traceback.print_exc()
    click.echo(f"backproof: this is a bug of backproof ({type(error).__name__}): please report it with the lines above", err=True)
    sys.exit(OUR_BUG)
