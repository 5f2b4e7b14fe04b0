"""benchmarks/packages: what is not installed is said plainly, and a verdict that is not the table's is told."""

import ast
import re

import pytest

from benchmarks.packages.__main__ import installed, main
from benchmarks.packages.table import FOLDER, PACKAGES, Package

ABSENT = "a-package-that-nobody-has-published"

TARGETS = {
    "right": "backproof.gradient(problem)",
    "wrong": "([2 * w for w in backproof.gradient(problem).weights], list(backproof.gradient(problem).biases))",
}


@pytest.mark.parametrize("of_node", [False, True])
def test_what_is_not_installed_is_said_plainly(of_node, capsys):
    package = Package(ABSENT, "1.0", "quarknet_target.py", {"mean_squared": "right"}, of_node)
    assert installed(package) is None
    assert main([], [package]) == 0
    said = capsys.readouterr().out
    assert f"{ABSENT} 1.0: not installed" in said
    assert "0 of 1 packages are installed" in said


def test_without_node_its_packages_are_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed(Package("synaptic", "1.1.4", "steps_target.py", {}, of_node=True)) is None


@pytest.mark.parametrize(
    ("made", "told", "version"),
    [("right", "right", "looked at"), ("wrong", "right", "looked at"), ("right", "wrong", "another")],
)
def test_a_verdict_that_is_not_the_tables_is_told(made, told, version, monkeypatch, tmp_path, capsys):
    file = tmp_path / "target.py"
    supports = {"activations": ["tanh"], "losses": ["half_squared_error"], "depth": 1, "biases": True}
    lines = "import backproof", "def target(problem):", f"    return {TARGETS[made]}", f"target.supports = {supports}"
    file.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr("benchmarks.packages.__main__.metadata.version", lambda name: "looked at")
    package = Package("numpy", version, str(file), {"target": told})
    differs = made != told
    assert main(["--examples", "5"], [package]) == (differs and version == "looked at")
    said = capsys.readouterr().out
    assert f"target: {made}" in said
    assert ("NOT AS TOLD" in said) == differs
    assert ("(looked at: another)" in said) == (version == "another")


def test_every_target_of_the_table_stands_in_its_file_and_every_file_in_the_table():
    files = {package.file for package in PACKAGES}
    written = {path.relative_to(FOLDER).as_posix() for path in [*FOLDER.glob("*_target.py"), *FOLDER.glob("node/*.mjs")]}
    assert files == written - {f"node/{part}.mjs" for part in ("serve", "steps", "version")}
    for package in PACKAGES:
        if package.file.endswith(".py"):
            # read and not imported: the packages are not installed
            tree = ast.parse((FOLDER / package.file).read_text(encoding="utf-8"))
            names = {
                target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)
            }
            assert set(package.targets) <= names, package.name


def test_every_package_of_the_table_stands_in_the_trophies():
    page = (FOLDER.parent.parent / "docs" / "trophies.md").read_text(encoding="utf-8")
    for package in PACKAGES:
        assert re.search(rf"^\| {re.escape(package.name)} \| {re.escape(package.version)} \|", page, re.MULTILINE), package.name
