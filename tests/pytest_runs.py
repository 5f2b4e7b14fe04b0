"""pytest in a folder of a user's, each run in a process of its own, which is forked from one that has imported what every run needs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
INSTALLED = any(point.name == "backproof" for point in metadata.entry_points(group="pytest11"))
OPTIONS = ["-p", "no:cacheprovider", *([] if INSTALLED else ["-p", "backproof.doors.pytest_plugin"])]
PATHS = [EXAMPLES, *([] if INSTALLED and not (ROOT / "reference").is_dir() else [ROOT]), os.environ.get("PYTHONPATH", "")]
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(filter(None, map(str, PATHS)))}

FORKS = """
import contextlib, gc, json, os, sys
import hypothesis, pytest
from backproof import check, gradient, law_tests, strategies

with contextlib.redirect_stdout(sys.stderr):
    pytest.main(["--version", "--version"])  # which imports its plugins
gc.freeze()
for line in sys.stdin:
    folder, printed, options = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(os.open(printed, os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
        sys.exit(pytest.main(options))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

Run = Callable[..., str]
"""run(folder, *options, code=0, cwd=None): what pytest prints that is called in cwd, or in the folder itself, and has it for its root."""


def command(folder: Path, *options: str) -> list[str]:
    """What is said to pytest."""
    return [*OPTIONS, "--rootdir", str(folder), *options]


@contextmanager
def forked_pytests(folder: Path) -> Iterator[Run]:
    """What runs pytest. folder: for what is printed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    forks = subprocess.Popen([sys.executable, "-c", FORKS], env=os.environ | ENVIRONMENT, text=True, bufsize=1, **pipes)
    runs = iter(range(10**6))

    def run(root: Path, *options: str, code: int = 0, cwd: Path | None = None) -> str:
        file = folder / f"{next(runs)}.txt"
        assert forks.stdin and forks.stdout
        forks.stdin.write(json.dumps([str(cwd or root), str(file), command(root, *options)]) + "\n")
        ended, printed = forks.stdout.readline().strip(), file.read_text()
        assert ended == str(code), printed
        return printed

    with forks:
        yield run
