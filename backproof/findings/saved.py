"""Saved findings: a file for each, which the finding of no other target overwrites."""

import re
from pathlib import Path
from zlib import crc32

from backproof.findings.finding import Finding, finding_of
from reference.errors import ProblemError

SAVED_IN = ".backproof"
"""The folder for what is kept between runs, where no other is said."""

LONGEST_NAME = 100
"""Characters of a target's name that stand in a file's name; systems allow 255 bytes in all."""


def make_folder(folder: Path) -> None:
    """Make a folder for what is kept, where there is none; our own is left out of Git, as caches are. Raises OSError."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)  # another run may make it meanwhile
        if folder.name == SAVED_IN:
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def file_name(finding: Finding, place: int, origin: str = "") -> str:
    """The name of the file of a finding, at a place in its report: the whole path of the target, in what any system allows.

    origin: what asked a target whose name alone says not which it is, a function of a test file say. Two targets whose names differ only
    in what is replaced here, or in their origins, differ in the checksum.
    """
    readable = re.sub(r"[^a-zA-Z0-9_.]+", "-", finding.target).strip("-.")[-LONGEST_NAME:]
    told = f"{origin}::{finding.target}" if origin else finding.target
    checksum = crc32(told.encode(errors="backslashreplace")) & 0xFFFFFF
    return f"{readable}-{checksum:06x}-{finding.law}-{finding.seed}-{place}.json"


def save_finding(finding: Finding, place: int, folder: Path, origin: str = "") -> Path:
    """Write a finding to a file of its own; the file. origin: as file_name has it. Raises OSError."""
    make_folder(folder)
    path = folder / file_name(finding, place, origin)
    path.write_text(finding.to_json() + "\n", encoding="utf-8")
    return path


def text_of(file: Path) -> str:
    """What is in a file. Raises ProblemError where that is nothing, UnicodeDecodeError and OSError."""
    text = file.read_text(encoding="utf-8")
    if not text.strip():
        raise ProblemError("the file is empty: what wrote it may have been cut short")
    return text


def load_finding(file: Path) -> Finding:
    """The finding that a file holds. Raises ProblemError, with the file's name, and OSError."""
    try:
        return finding_of(text_of(file))
    except (ProblemError, UnicodeDecodeError) as error:
        raise ProblemError(f"{file}: {error}") from None
