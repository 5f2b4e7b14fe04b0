"""The points that nbgrader's own rule gives a cell with backproof.grade, of submissions right, wrong and worse.

    python -m benchmarks.nbgrader_points

In an environment with nbgrader, nbclient and ipykernel beside backproof, which backproof itself does not need.
"""

from __future__ import annotations

from typing import Any

RIGHT = "import backproof\ndef mine(problem):\n    return backproof.gradient(problem)"

SUBMISSIONS = {
    "right": RIGHT,
    "wrong in dC/db, warns and prints to standard error": (
        "import backproof, sys, warnings\ndef mine(problem):\n    g = backproof.gradient(problem)\n    warnings.warn('careful')\n"
        "    print('noise', file=sys.stderr)\n    return g.weights, [None if b is None else b + 1 for b in g.biases]"
    ),
    "right, writes to standard error from below": (
        "import backproof, os, subprocess\ndef mine(problem):\n    os.write(2, b'noise\\n')\n"
        "    subprocess.run('echo noise >&2', shell=True)\n"
        "    return backproof.gradient(problem)"
    ),
    "returns None": "def mine(problem):\n    return None",
    "raises": "def mine(problem):\n    raise ValueError('no')",
    "leaves": "def mine(problem):\n    raise SystemExit(1)",
    "never ends": "def mine(problem):\n    while True: pass",
}
"""What a student wrote, by what it does."""

TEST = "import backproof\nbackproof.grade(mine, points=10, max_examples=10)"


def points(submission: str, test: str = TEST) -> tuple[float | None, float]:
    """What nbgrader gives the cell of tests, and its most."""
    import nbformat.v4 as v4
    from nbclient import NotebookClient
    from nbgrader.utils import determine_grade

    marks: dict[str, Any] = {"grade": True, "solution": False, "locked": True, "points": 10, "grade_id": "backprop", "schema_version": 3}
    cells = [v4.new_code_cell(submission), v4.new_code_cell(test, metadata={"nbgrader": marks | {"cell_type": "code"}})]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}})
    NotebookClient(notebook, timeout=300, allow_errors=True).execute()
    return determine_grade(notebook.cells[1])


def main() -> None:
    """Print them all."""
    for name, submission in SUBMISSIONS.items():
        print(f"{name}: {points(submission)}")
    noisy = f"import sys\nprint('noise', file=sys.stderr)\n{TEST}"
    print(f"right, but the cell itself writes to standard error: {points(RIGHT, noisy)}")


if __name__ == "__main__":
    main()
