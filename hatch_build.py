"""The build hook: in a wheel the rooms move under backproof/, and every import of a room gets that prefix.

A wheel must not put names like `reference` into site-packages, while in a clone a room is imported by its folder's name.
An editable install is left alone. The suite's own tests run against an installed wheel after the same rewrite:

    python hatch_build.py rewrite SRC DEST
"""

import io
import itertools
import shutil
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "backproof"
ROOMS = ("oracles", "properties", "reference", "rounding")
LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


class RoomImportError(Exception):
    """An import that cannot be moved: `import reference` binds a name that a wheel does not have."""


def with_prefix(source: str, filename: str) -> str:
    """The source with `from reference...` as `from backproof.reference...`, and so for each room; no line moves.

    By tokens, so that strings, comments, `yield from` and `raise ... from` stay as they are.
    Raises RoomImportError, with filename and line, on `import reference` and `import reference.functions.losses`.
    """
    lines = list(io.StringIO(source))
    for statement in reversed(statements(source)):  # the last first, so that the columns of those before it stay true
        match statement:
            case [tokenize.TokenInfo(string="from"), tokenize.TokenInfo(string=room, start=(line, column)), *_] if room in ROOMS:
                text = lines[line - 1]
                lines[line - 1] = f"{text[:column]}{PACKAGE}.{text[column:]}"
            case [tokenize.TokenInfo(string="import"), *_]:
                refuse_rooms(statement, filename)
    return "".join(lines)


def statements(source: str) -> list[list[tokenize.TokenInfo]]:
    """The statements of a source, each as its tokens without layout; a colon ends one too, as in `if x: from reference import y`."""
    found: list[list[tokenize.TokenInfo]] = [[]]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE or (token.type == tokenize.OP and token.string in ":;"):
            found.append([])
        elif token.type not in LAYOUT:
            found[-1].append(token)
    return found


def refuse_rooms(statement: list[tokenize.TokenInfo], filename: str) -> None:
    """Raises RoomImportError if an `import ...` statement names a room."""
    for before, name in itertools.pairwise(statement):
        if before.string in ("import", ",") and name.string in ROOMS:
            raise RoomImportError(
                f"{filename}:{name.start[0]}: `import {name.string}` cannot be moved under {PACKAGE}/ in a wheel: "
                f"write `from {name.string}... import ...`"
            )


def copy_with_prefix(source: str, destination: str) -> None:
    """Copies one file; a Python file with the prefix in its imports. Bytes in and out, so that line ends stay."""
    if source.endswith(".py"):
        Path(destination).write_bytes(with_prefix(Path(source).read_bytes().decode(), source).encode())
        shutil.copymode(source, destination)
    else:
        shutil.copy(source, destination)


def rewrite(source: Path, destination: Path) -> None:
    """Copies a tree with the prefix in its imports, without the rooms themselves: those are in the wheel."""

    def left_out(directory: str, names: list[str]) -> set[str]:
        return {"__pycache__", *((PACKAGE, *ROOMS) if Path(directory) == source else ())}.intersection(names)

    shutil.copytree(source, destination, ignore=left_out, copy_function=copy_with_prefix)


class RoomsHook(BuildHookInterface[BuilderConfig]):
    """Puts a rewritten copy of each file in the place of the file that hatchling chose for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the copies. hatchling prefers a forced file over a chosen one of the same place in the wheel."""
        if version == "editable":
            return
        self.copies = tempfile.TemporaryDirectory()
        for file in self.build_config.builder.recurse_selected_project_files():
            copy = Path(self.copies.name, file.distribution_path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy_with_prefix(file.path, str(copy))
            build_data["force_include"][str(copy)] = file.distribution_path

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the copies."""
        if version != "editable":
            self.copies.cleanup()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["rewrite", source, destination]:
            rewrite(Path(source), Path(destination))
        case _:
            sys.exit("usage: python hatch_build.py rewrite SRC DEST")
