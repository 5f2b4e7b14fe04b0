"""The README shows what the commands print, and its two shell blocks are the ones that are run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else ""

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def shape(text: str) -> list[str]:
    """The lines of an output without what depends on the version of Hypothesis: numbers, the entry, the problem."""
    lines = [re.sub(r"[-+]?\d[\d.e+-]*", "#", line.rstrip()) for line in text.strip().splitlines()]
    return [re.sub(r"(entry|problem) .*", r"\1", line) for line in lines if not line.startswith("not applicable")]


@pytest.mark.parametrize(
    ("block", "target", "code"),
    [(0, "numpy_network.py:gradient", 0), (1, "numpy_mistakes.py:derivative_at_the_activation", 1)],
    ids=["right", "wrong"],
)
def test_outputs_are_those_of_the_commands(block: int, target: str, code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backproof", "check", f"examples/{target}", "--seed", "1", "--save", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == code, done.stderr
    printed = done.stdout.replace(str(tmp_path), ".backproof")
    assert shape(printed) == shape(blocks("text")[block])


def test_shell_blocks_set_up_and_run() -> None:
    first, second = blocks("sh")
    assert "install --quiet ." in first
    assert "backproof check examples/numpy_network.py:gradient" in first
    assert "'.[test]'" in second
    assert "-m pytest" in second


def test_python_block_is_python() -> None:
    for block in blocks("python"):
        compile(block.replace("\n    ...\n", "\n    pass\n"), "README.md", "exec")
