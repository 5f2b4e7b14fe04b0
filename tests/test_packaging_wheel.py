"""What users get: the wheel, built from the sdist, installed, and put to the suite's own tests."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from hatch_build import PACKAGE, ROOMS, rewrite, with_prefix

ROOT = Path(__file__).parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

pytestmark = pytest.mark.slow


def output(*command: object, cwd: Path, **environment: str) -> str:
    """What a command prints; the test fails with it where the command does."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=os.environ | environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist of this tree and the wheel built from it, as `pip install` of an sdist builds it.

    Where they were built already, BACKPROOF_DIST says the folder: `.ci/run` builds them once.
    """
    if built := os.environ.get("BACKPROOF_DIST"):
        return Path(built)
    folder = tmp_path_factory.mktemp("dist")
    output(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def sdist(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(*dist.glob("*.tar.gz"), folder)
    [unpacked] = folder.iterdir()
    return unpacked


@pytest.fixture(scope="session")
def wheel(dist: Path) -> zipfile.Path:
    """The wheel, to look into."""
    return zipfile.Path(*dist.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed, for PYTHONPATH; what it depends on comes from the environment of this test."""
    folder = tmp_path_factory.mktemp("installed")
    output(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, *dist.glob("*.whl"), cwd=folder)
    return folder


def test_wheel_has_no_other_name_at_the_top(wheel: zipfile.Path) -> None:
    assert {path.name for path in wheel.iterdir()} == {PACKAGE, f"{PACKAGE}-{VERSION}.dist-info"}


def test_every_file_of_every_room_is_in_the_wheel(wheel: zipfile.Path) -> None:
    expected = [path.relative_to(ROOT / PACKAGE) for path in (ROOT / PACKAGE).rglob("*.py")]
    expected += [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    expected += [path.relative_to(ROOT / PACKAGE) for path in (ROOT / PACKAGE).rglob("*.json")]
    assert [path for path in (*expected, Path("py.typed")) if not (wheel / PACKAGE / path.as_posix()).is_file()] == []


def test_wheel_has_the_rewritten_imports(wheel: zipfile.Path) -> None:
    sources = {name: wheel.root.read(name).decode() for name in wheel.root.namelist() if name.endswith(".py")}
    assert [name for name, source in sources.items() if with_prefix(source, name) != source] == []
    assert f"from {PACKAGE}.reference.functions.losses import LOSSES\n" in sources[f"{PACKAGE}/reference/forward.py"]


def test_sdist_has_all_that_builds_and_tests_it(sdist: Path) -> None:
    expected = ["hatch_build.py", "conftest.py", "README.md", "LICENSE", "CHANGELOG.md", *(f"{room}/__init__.py" for room in ROOMS)]
    expected += [f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py")]
    assert [name for name in expected if not (sdist / name).is_file()] == []


def test_build_fails_on_an_import_that_cannot_be_moved(sdist: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(sdist, tree)
    (tree / "reference" / "bad.py").write_text('"""Bad."""\n\nimport reference.losses\n')
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    failed = subprocess.run([sys.executable, "-c", build, tmp_path], cwd=tree, text=True, capture_output=True)
    assert failed.returncode != 0
    assert "bad.py:3: `import reference` cannot be moved under backproof/ in a wheel" in failed.stdout + failed.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_editable_install_is_left_alone(sdist: Path, tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    output(sys.executable, "-c", build, tmp_path, cwd=sdist)
    with zipfile.ZipFile(*tmp_path.glob("*.whl")) as archive:
        assert [entry for entry in archive.namelist() if ".dist-info/" not in entry] == ["_backproof.pth"]
        assert archive.read("_backproof.pth").decode() == str(sdist)


def test_installed_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert VERSION in output(sys.executable, "-m", PACKAGE, "--version", cwd=tmp_path, PYTHONPATH=str(installed))


def test_package_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = "import backproof, backproof.reference; print(backproof.__file__, backproof.reference.__file__, sep='\\n')"
    files = output(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert [Path(file).is_relative_to(installed) for file in files] == [True, True]


def test_suite_passes_against_the_installed_wheel(sdist: Path, installed: Path, tmp_path: Path) -> None:
    """One file of it; .ci/run puts all that is marked `wheel` to a wheel in an environment of its own."""
    quick = "tests/test_reference_equations.py"
    (tmp_path / "part" / "tests").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml", quick):
        shutil.copy(sdist / name, tmp_path / "part" / name)
    suite = tmp_path / "suite"
    rewrite(tmp_path / "part", suite)
    report = output(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", quick, cwd=suite, PYTHONPATH=str(installed))
    assert " passed" in report
