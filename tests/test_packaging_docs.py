"""The pages: links lead somewhere, what they show of code runs, commands and options exist, and the README lists each."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from backproof.doors.command_line import cli
from backproof.doors.group import COMMANDS
from backproof.findings.finding import Finding
from backproof.reports.gradescope import VISIBILITIES
from properties.laws.table import LAWS

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
RUN = ["dropout_and_weight_decay", "it_says_lossy"]
"""Pages whose Python runs as it stands, block after block."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def text_of(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)


def anchors(page):
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    for target in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(to), f"{page.name} links to {target}: no such heading"


@each_page
def test_python_is_python(page):
    for block in blocks(page, "python"):
        compile(re.sub(r"^( *)\.\.\.$", r"\1pass", block, flags=re.MULTILINE), page.name, "exec")


@pytest.mark.parametrize("name", RUN)
def test_what_is_shown_runs(name, tmp_path):
    code = "\n".join(blocks(ROOT / "docs" / f"{name}.md", "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    for shown in re.findall(r"#\s+([\d.]+e-?\d+)", code):
        assert shown in done.stdout


@each_page
def test_commands_and_their_options_exist(page):
    if "file.py:function" not in text_of(page) and "backproof " not in text_of(page):
        return
    for command, rest in re.findall(r"backproof ([a-z]+)((?: [^`\n|]*)?)", " ".join(re.findall(r"`backproof [^`]*`", text_of(page)))):
        assert command in COMMANDS, f"{page.name}: backproof {command}"
        known = {name for option in cli.get_command(None, command).params for name in option.opts}
        assert set(re.findall(r"(?<= )--[a-z][a-z-]+", rest)) <= known | {"--help", "--flag", "--mistake"}, (
            f"{page.name}: backproof {command}{rest}"
        )


@pytest.mark.parametrize("page", DOCS, ids=[page.stem for page in DOCS])
def test_every_page_is_found_from_the_readme(page):
    linked = {target.partition("#")[0] for target in LINK.findall(text_of(ROOT / "README.md"))}
    assert f"docs/{page.name}" in linked


def test_every_row_of_a_finding_is_explained():
    page = text_of(ROOT / "docs" / "reading_a_report.md")
    rows = ["law", "why", "entry", "got", "exact", "off by", "allowed", "outside", "each", "factors", "cause", "same as", "evidence"]
    rows += ["problem", "shrunk", "state", "seed", "replay"]
    assert [row for row in rows if f"`{row}`" not in page] == []
    assert Finding.rows  # which writes them


def test_the_template_for_who_was_accused_asks_for_the_file():
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "accused.yml").read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    fields = {field["id"]: field for field in form["body"] if "id" in field}
    assert all(field["type"] in ("markdown", "textarea", "input", "checkboxes", "dropdown") for field in form["body"])
    assert fields["finding"]["validations"]["required"] is True
    assert "file" in fields["finding"]["attributes"]["label"]
    for name in re.findall(r"docs/[a-z_]+\.md", (ROOT / ".github" / "ISSUE_TEMPLATE" / "accused.yml").read_text(encoding="utf-8")):
        assert (ROOT / name).exists()


OTHERS = {"check_batched_grad", *VISIBILITIES}
"""Names of others in these pages that look like laws."""


def test_laws_that_pages_name_exist():
    for page in (ROOT / "docs" / "moving_from_gradcheck.md", ROOT / "docs" / "courses.md"):
        for name in re.findall(r"`([a-z]+(?:_[a-z]+){2,})`", text_of(page)):
            assert name in LAWS or name in OTHERS, f"{page.name}: {name}"
