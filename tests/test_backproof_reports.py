"""Page, Markdown and annotations: the same from saved data alone, harmless whatever a target says, and none leaves out what matters."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

import backproof
from backproof import Gradient, Problem, verify
from backproof.doors.command_line import cli
from backproof.report import Report, report_of
from backproof.reports.annotations import annotations, place_of
from backproof.reports.comparison_page import comparison_page
from backproof.reports.markdown import plain
from backproof.reports.mathematics import (
    EQUATIONS,
    RIGHT,
    formula_of_activation,
    formula_of_loss,
    mathml,
)
from backproof.reports.terminal import report_text
from backproof.reports.told import doubts, headline
from backproof.runs.comparison import Compared, Comparison, comparison_data
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from tests.saved_runs import HOSTILE, NAMES, hostile, lossy, run

each_run = pytest.mark.parametrize("name", NAMES)


VOID = ("meta", "link", "br", "img", "col")


class Reader(HTMLParser):
    """The elements of a page, and whether each that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


@each_run
def test_what_is_saved_gives_the_same_page_markdown_and_text(name):
    report = run(name)
    again = report_of(report.to_json())
    assert again.html() == report.html()
    assert again.markdown() == report.markdown()
    assert report_text(again) == report_text(report)


@each_run
def test_a_page_is_one_file_without_script_that_loads_nothing(name):
    page = run(name).html()
    reader = read(page)
    assert not reader.tags & {"script", "iframe", "img", "object", "embed", "form"}
    loading = [(key, value) for key, value in reader.attributes if key in ("src", "href", "xlink:href", "data", "srcset") and value]
    assert all(value.startswith(("#", "data:,")) for _, value in loading)
    assert not [key for key, _ in reader.attributes if key.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    assert len(page.encode()) < (1_000_000 if name == "real size" else 300_000)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("equation 2", "output_error"),
        ("equation 3", "slope"),
        ("equation 4", "weight_gradient"),
        ("equation 10", "bias_gradient"),
        ("equation 11", "error_below"),
    ],
)
def test_page_and_markdown_name_place_cause_and_what_is_right(name, factor):
    report = run(name)
    told, first = headline(report), report.findings[0]
    assert first.cause
    assert told.where.lower().startswith(("equation ", "equations "))
    assert name.split()[1] in re.findall(r"\d+", told.where.partition(",")[0])
    assert told.right.words == RIGHT[factor].words
    page, text = report.html(), report.markdown()
    assert told.right.code in page.replace("&#39;", "'")
    assert told.right.code in text
    assert str(mathml(told.right.latex, True)) in page
    for said in (page, text):
        assert "fails in" in said


def test_what_makes_a_verdict_mean_less_stands_before_it():
    for name, said in (("interrupted", "cut short"), ("could not run", "Nothing could be run")):
        page, text = run(name).html(), run(name).markdown()
        assert page.index(said) < page.index("<h1")
        assert said in text
    blunt = replace(run("right"), sees={"entry": 0.5, "row": 1e-9})
    assert [doubt.said for doubt in doubts(blunt) if doubt.loud] == [
        "Low sensitivity: a relative error in one entry below 5e-01 would not have been seen."
    ]
    assert not [doubt for doubt in doubts(run("right")) if doubt.loud]
    never = [doubt for doubt in doubts(run("right")) if "never applied" in doubt.said]
    assert never[0].more


def test_nothing_from_outside_is_markup():
    data = hostile()
    page = report_of(json.dumps(data)).html()
    reader = read(page)
    assert not reader.tags & {"script", "img", "b"}
    assert "\x1b" not in page
    assert "\x07" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert len(page) < 300_000
    run_of_markup = run("markup").html()
    assert not read(run_of_markup).tags & {"script", "img", "b"}


def test_nothing_from_outside_is_markdown():
    text = report_of(json.dumps(hostile())).markdown()
    assert "\x1b" not in text
    assert len(text) < 100_000
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    allowed = set(re.findall(r"\w+", "details summary h2 p strong em code pre ul li table thead tbody tr th td blockquote"))
    assert read(rendered).tags <= allowed
    spoken = re.sub(r"<code.*?</code>", "", rendered, flags=re.DOTALL)
    assert "@everyone" not in spoken
    assert "alert(1)" in spoken


AS_IT_IS = [
    "see https://evil.example/x?a=1 now",
    "HTTP://EVIL.example",
    "www.evil.example",
    "mailto:me@evil.example",
    "- no list",
    "+ no list",
    "1. no list",
    "12) no list",
    "===",
    "-3.5 is a number",
    "3.5 is a number",
    "+",
    "---",
    "# no heading",
    "> no quotation",
    "    no code",
    "a  b",
]


@pytest.mark.parametrize("said", AS_IT_IS)
def test_text_from_outside_begins_no_list_and_is_no_link(said):
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    for before in ("", "a line before\n"):
        rendered = reader.render(before + plain(said))
        assert set(re.findall(r"<(\w+)", rendered)) == {"p"}, rendered
        # what GitHub makes a link of, without any markup
        assert not re.search(r"(?i)(https?|ftp)://|www\.|mailto:|\w@\w", rendered)
        assert " ".join(said.split()) in rendered.replace("\u200b", "").replace("&gt;", ">"), rendered


def test_nothing_from_outside_ends_an_annotation_or_a_line_of_the_terminal():
    report = report_of(json.dumps(hostile()))
    (line,) = annotations(report)
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 3_000
    assert "\x1b" not in report_text(report)
    assert "\x1b" not in str(report)


def test_a_comparison_is_harmless_too():
    data = comparison_data([Compared(HOSTILE, hostile()), Compared(HOSTILE, error=HOSTILE)], 1)
    page = comparison_page(json.loads(json.dumps(data)))
    assert not read(page).tags & {"script", "img", "b"}
    assert "\x1b" not in page


NAMED = ["equation 3", "right", "raises", "equation 3", "equation 2"]


@pytest.mark.wheel
def test_a_comparison_sorts_by_what_is_shared_and_each_cell_opens_its_finding():
    compared = [Compared(f"of/{i}.py:f", json.loads(run(name).to_json())) for i, name in enumerate(NAMED)]
    comparison = Comparison((*compared, Compared("gone.py:f", error="its check gave no report: Killed")), 1)
    page = comparison.html()
    assert comparison_page(json.loads(comparison.to_json())) == page
    reader = read(page)
    first = page.index("2 of 6")
    assert "g&#39; is taken at a in place of z" in page[first : first + 400]
    assert page.index("1 of 6") > first
    rows = [page.index(f"of/{i}.py:f") for i in (0, 3, 2, 4, 1)]
    assert rows == sorted(rows)
    targets = {value for key, value in reader.attributes if key == "href" and value.startswith("#finding")}
    ids = {value for key, value in reader.attributes if key == "id"}
    assert targets
    assert {target[1:] for target in targets} <= ids
    assert "Killed" in page
    text = comparison.markdown()
    table = [line for line in text.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in table] == [f"of/{i}.py:f" for i in (0, 3, 2, 4)] + ["gone.py:f", "of/1.py:f"]
    assert "| ❌ wrong | Equation 3, " in table[0]
    assert "): g' is taken at a in place of z |" in table[0]
    assert "Killed" in table[4]
    assert "| 2 of 6 | ❌ wrong | g' is taken at a in place of z" in text


def test_the_terminal_s_table_names_place_and_cause(tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    data = comparison_data([Compared("t.py:f", json.loads(run("equation 3").to_json()))], 1)
    (tmp_path / "c.json").write_text(json.dumps(data))
    code, output = shown("report", tmp_path / "c.json")
    assert code == 0
    headings, line = output.splitlines()
    assert "place and cause" in headings
    assert "Equation 3, " in line
    assert line.endswith("): g' is taken at a in place of z")


@pytest.mark.slow
def test_python_compares_too(tmp_path):
    (tmp_path / "mine.py").write_text("from backproof import gradient\n")
    options = {"max_examples": 3, "save": tmp_path, "no_diagnosis": True}
    comparison = backproof.compare([f"{tmp_path}/:gradient"], seed=4, **options)
    assert [one.verdict for one in comparison.targets] == ["right"]
    assert "1 of 1" in comparison.html()
    with pytest.raises(backproof.SupportError, match="deep is no option of a comparison"):
        backproof.compare([f"{tmp_path}/:gradient"], deep=3)


def test_an_annotation_names_file_and_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pack").mkdir()
    Path("pack/mine.py").write_text("x = 1\n\n\ndef f(problem):\n    pass\n\n\nclass A:\n    def g(self):\n        pass\n\n\nh = f\n")
    assert place_of("pack/mine.py:f") == ("pack/mine.py", 4)
    assert place_of("pack.mine:A.g") == ("pack/mine.py", 9)
    assert place_of("pack.mine:h") == ("pack/mine.py", 13)
    assert place_of("pack.mine:nothing") == ("pack/mine.py", 0)
    assert place_of("elsewhere:f") == ("", 0)
    assert annotations(run("right")) == []
    wrong = replace(run("equation 3"), target="pack/mine.py:f")
    assert annotations(wrong)[0].startswith("::error file=pack/mine.py,line=4,title=backproof%3A wrong::Equation 3, layer ")
    message = "ValueError: no (mine.py:5 in f > mine.py:9 in g)"
    raised = replace(run("raises"), target="pack/mine.py:f")
    raised = replace(raised, findings=(replace(raised.findings[0], message=message),))
    assert ",line=9," in annotations(raised)[0]
    assert annotations(lossy())[0].startswith("::warning ")


def shown(*words):
    done = CliRunner().invoke(cli, list(map(str, words)))
    return done.exit_code, done.output


@pytest.mark.wheel  # templates are files of the wheel
def test_the_command_writes_what_check_wrote(tmp_path):
    (tmp_path / "t.py").write_text("from backproof import gradient\n\ngradient_of = gradient\n")
    files = {form: tmp_path / f"a.{form}" for form in ("json", "html", "markdown")}
    words = [word for form, file in files.items() for word in (f"--{form}", str(file))]
    code, said = shown("check", f"{tmp_path}/t.py:gradient_of", "--max-examples", "3", "--save", tmp_path, *words)
    assert code == 0
    assert shown("report", files["json"]) == (0, said)
    again = tmp_path / "b"
    assert shown("report", files["json"], "--html", again) == (0, "")
    assert again.read_bytes() == files["html"].read_bytes()
    assert shown("report", files["json"], "--markdown", again) == (0, "")
    assert again.read_bytes() == files["markdown"].read_bytes()
    assert shown("report", files["json"], "--html", "-")[1] == files["html"].read_text()
    assert shown("report", files["json"], "--html", tmp_path / "no" / "folder")[0] == 2


@pytest.mark.wheel
def test_a_run_that_could_not_begin_has_a_page_too(tmp_path):
    code, _ = shown("check", "no_such_module:f", "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert code == 2
    assert "no_such_module" in (tmp_path / "a.html").read_text()
    shown("report", tmp_path / "a.json", "--html", tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_each_equation_and_formula_can_be_written():
    assert list(EQUATIONS) == list(range(1, 12))
    for latex in (*EQUATIONS.values(), *(right.latex for right in RIGHT.values())):
        assert "<math" in mathml(latex)
        assert "\\" not in mathml(latex)
    problem = Problem([[[1.0]]], activations=["identity"], x=[[1.0]], y=[[1.0]])
    for name in ACTIVATIONS:
        assert formula_of_activation(name).startswith("g")
    for name in LOSSES:
        told = formula_of_loss(type("P", (), {"loss": name, "batch": problem.batch}))
        assert told
        assert not told.endswith((".", ";", ":"))


def test_a_report_without_anything_is_a_page():
    assert "Nothing could be judged." in Report("t", (), {}, 0, 0, 0, 0, "float64").html()


def test_numbers_that_are_no_numbers_are_drawn():
    problem = Problem([[[1.0, 2.0]]], activations=["tanh"], x=[[1.0, -1.0]], y=[[0.5]])
    answer = Gradient([np.array([[np.nan, -np.inf]])])
    finding = replace(run("nonfinite").findings[0], problem=problem, answer=answer, judgement=verify(problem, answer))
    page = replace(run("nonfinite"), findings=(finding,)).html()
    assert "NaN" in page
    assert "nan," not in page
    assert not re.search(r'(?:x|y|cx|cy|width|height)="-?(?:nan|inf)', page)
