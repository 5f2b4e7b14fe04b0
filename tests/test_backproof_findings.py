"""A finding and a report say what a person needs, keep controls of the terminal out, and are plain data exact to the bit."""

import json
import subprocess
import sys
from dataclasses import replace

import hypothesis
import numpy as np
import pytest

import backproof
from backproof import Finding, Problem, ProblemError, Verdict, check, gradient, verify
from backproof.findings.finding import finding_of
from backproof.findings.report import LawCount, Report
from backproof.findings.shown_problem import array_text, problem_text
from backproof.findings.text import printable
from backproof.reports.terminal import report_text
from backproof.runs.check import replay

PROBLEM = Problem(
    [[[0.5, -1.0]], [[2.0]]], biases=[[0.25], None], activations=["tanh", ("elu", {"alpha": -2.0})], x=[[1.0, 3.0]], y=[[0.1]]
)


def doubled(problem):
    return [2 * w for w in gradient(problem).weights], gradient(problem).biases


def found(**changes):
    answer = backproof.Gradient(*doubled(PROBLEM))
    judgement = verify(PROBLEM, answer)
    finding = Finding(
        "mine.py:f",
        Verdict.WRONG,
        "it_agrees_with_the_exact_gradient",
        "",
        PROBLEM,
        judgement,
        answer,
        None,
        42,
        7,
        "float64",
        3,
        "in full",
        ("jax",),
    )
    return replace(finding, **changes)


def report_of(*findings, **changes):
    counts = {"it_answers": LawCount(9, 0, 1, {"no\x1b[2Jreason": 1}), "it_agrees_with_the_exact_gradient": LawCount(7, 3, 0)}
    return replace(Report("mine.py:f", findings, counts, 42, 10, 10, 1, "float64", seconds=1.25, notes=("a note",)), **changes)


def rows(text):
    """The lines of a text by their first word."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in text.splitlines() if line.strip()}


def test_a_report_has_a_line_for_everything(tmp_path):
    finding = found(message="a message")
    text = report_text(replace(report_of(finding), saved=(str(tmp_path / "f.json"),)))
    said = rows(text)
    judgement = finding.judgement
    assert text.startswith("wrong: mine.py:f (further from the exact gradient than any honest rounding)\n\nwrong\n  law ")
    assert said["why"] == "a message"
    assert said["entry"].startswith(f"{judgement.place}[{', '.join(map(str, judgement.index))}], computed by equations 1, 5, 8 and 10")
    assert said["got"] == repr(judgement.got)
    assert said["exact"] == repr(judgement.exact[0])
    assert float(said["off"].removeprefix("by ")) == pytest.approx(judgement.distance, rel=0.01)
    assert said["allowed"] == f"{judgement.allowed:.3g}: worst-case rounding bound (certain), float64"
    assert said["outside"] == "3 of 4 entries"
    assert said["problem"] == repr(PROBLEM)
    assert said["shrunk"] == "in full; seen in 3 problems of the run"
    assert said["seed"] == "42; before shrinking: backproof draw mine.py:f --seed 42 --index 7"
    assert said["replay"] == f"backproof replay {tmp_path / 'f.json'}"
    assert "\n1 of 2 laws held wherever they applied\nbroken: it_agrees_with_the_exact_gradient, in 3 of 10 problems\n" in text
    assert said["10"] == "problems, 10 judged, 1 also checked by ball arithmetic; judged by float64; seed 42; 1.2 s"
    assert said["note:"] == "a note"
    assert "\n1 problem, 1 judged, " in report_text(replace(report_of(finding), examples=1, judged=1))


def test_what_there_is_not_has_no_line():
    text = report_text(report_of(found(judgement=None, message="it raised", seen=1)))
    assert not {"entry", "got", "exact", "off", "allowed", "outside", "replay"} & set(rows(text))
    assert rows(text)["shrunk"] == "in full; seen in 1 problem of the run"


def test_a_kink_is_told_as_an_interval():
    problem = Problem([[[1.0]]], biases=[[-1.0]], activations=["relu"], x=[[1.0]], y=[[3.0]])
    judgement = verify(problem, ([[[9.0]]], [[9.0]]))
    assert rows(report_text(report_of(found(judgement=judgement))))["exact"].startswith("from -3.0")


def test_of_a_long_problem_it_is_said_what_it_is():
    long = Problem([np.full((30, 30), 0.123456789)], activations=["tanh"], x=np.ones((1, 30)), y=np.ones((1, 30)))
    assert problem_text(long).endswith("reduction 'sum': 960 numbers, too many to show")


def test_a_problem_that_is_no_line_is_told_by_shapes_and_a_few_entries():
    """That of a module of fixed widths was one line of 900 characters."""
    weight = np.zeros((8, 12))
    weight[2, 5], weight[7, 0] = 1.0, -0.5
    drawn = np.random.default_rng(1).normal(size=(4, 8))
    problem = Problem([weight, drawn], activations=["relu", "tanh"], x=np.ones((1, 12)), y=np.zeros((1, 4)), biases=[np.zeros(8), None])
    assert len(repr(problem)) > 900
    text = report_text(report_of(found(problem=problem)))
    lines = [line.strip() for line in text.splitlines()]
    first = next(i for i, line in enumerate(lines) if line.startswith("problem"))
    assert lines[first].split(maxsplit=1)[1] == "12-8-4, batch 1, 152 numbers; in short:"
    told = lines[first + 1 : first + 8]
    assert told[0] == "activations ['relu', 'tanh'], loss 'half_squared_error', reduction 'sum'"
    assert told[1] == "W1 (8x12): 0.0, but [2, 5] 1.0, [7, 0] -0.5"
    assert told[2] == "b1 [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"
    assert told[3].startswith(f"W2 (4x8): {float(drawn[0, 0])!r}, ")
    assert told[3].endswith(f", ..., {float(drawn[-1, -1])!r}")
    assert told[4:] == ["x (1x12): all 1.0", "y [[0.0, 0.0, 0.0, 0.0]]", "all of it: backproof show FILE"]
    assert max(map(len, lines)) < 200
    assert repr(problem) in problem_text(problem), "which `show` and the page have room for"


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_most_of_an_array_is_may_be_no_number(number):
    array = np.full((3, 4), number)
    assert array_text(array) == f"(3x4): all {number!r}"
    array[1, 2] = 2.0
    assert array_text(array).endswith("[1, 2] 2.0")


def test_shrinking_that_was_cut_short_says_how_to_go_on():
    assert rows(report_text(report_of(found(shrunk="cut short"))))["shrunk"].startswith("cut short (--shrink-seconds allows more); seen")


def test_in_a_narrow_terminal_what_is_read_is_broken_between_words_and_what_is_copied_is_not():
    long = "it raised an error because of this and of that and of several other things that are told at length"
    text = report_text(report_of(found(message=long), notes=(long,)), width=60)
    lines = text.splitlines()
    copied = [line for line in lines if line.startswith(("  problem ", "  seed ", "  got ", "  exact "))]
    assert all(len(line) <= 60 for line in lines if line not in copied)
    assert f"  problem  {PROBLEM!r}" in copied
    assert "  why      it raised an error because of this and of that\n           and of several other things that are told at\n" in text
    assert "broken: it_agrees_with_the_exact_gradient, in 3 of 10\n    problems\n" in text
    assert "note: it raised an error because of this and of that and\n    of several other things" in text
    words = report_text(report_of(found(message=long), notes=(long,))).split()
    assert text.split() == words


HOSTILE = [
    ("colour", "\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    ("bell and return", "a\a\rb", r"a\x07\x0db"),
    ("8-bit control", "\x9b31m", r"\x9b31m"),
    ("right to left", "\u202egpj.exe", r"\x202egpj.exe"),
    ("surrogate", "\udcff", r"\xdcff"),
    ("markup of rich", "[bold]no[/bold] [link=x]", "[bold]no[/bold] [link=x]"),
    ("emoji names", ":smile:", ":smile:"),
    ("letters", "δ = ∂C/∂z", "δ = ∂C/∂z"),
]


@pytest.mark.parametrize(("text", "shown"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_control_characters_are_shown_by_their_numbers(text, shown):
    assert printable(text) == shown
    report = report_of(found(target=text, message=text), target=text, notes=(text,))
    told = report_text(report)
    assert told.count(shown) >= 3
    assert str(report) == told
    assert not any(c in told for c in "\x1b\a\r\x9b\u202e\udcff")


def test_a_finding_survives_json():
    finding = found(message="why \x1b δ", precision="float32", drawn_in="float32", drawn_by="--widths 70,3")
    again = finding_of(finding.to_json())
    assert again.problem == finding.problem
    assert again.to_json() == finding.to_json()
    assert np.array_equal(again.answer.weights[0], finding.answer.weights[0])
    for name in ("target", "verdict", "law", "message", "precision", "seed", "index", "drawn_in", "drawn_by", "seen", "shrunk", "oracles"):
        assert getattr(again, name) == getattr(finding, name)


@pytest.mark.parametrize(("asked", "option"), [({"widths": [70, 3]}, "--widths 70,3"), ({"sizes": "real"}, "--sizes real"), ({}, "")])
def test_how_the_size_was_asked_for_is_told(asked, option):
    """The command that draws the problem again, before it was shrunk."""

    def doubled(problem):
        return [2 * weight for weight in gradient(problem).weights], None

    finding = replace(backproof.check(doubled, max_examples=1, seed=3, shrink_seconds=0, **asked).findings[0], target="mine.py:doubled")
    line = f"3; before shrinking: backproof draw {finding.target} --seed 3 --index {finding.index} {option}".rstrip()
    assert rows(report_text(report_of(finding)))["seed"] == line
    assert backproof.problem_at(finding.index, 3, **asked) == finding.problem


def test_an_answer_that_is_not_finite_survives_json():
    answer = backproof.Gradient([np.array([[np.nan, np.inf]]), np.array([[-np.inf]])], gradient(PROBLEM).biases)
    judgement = verify(PROBLEM, answer)
    finding = found(answer=answer, judgement=judgement)
    data = json.loads(finding.to_json())
    assert data["judgement"]["distance"] == "Infinity"
    assert np.array_equal(finding_of(finding.to_json()).answer.weights[0], answer.weights[0], equal_nan=True)


def broken(**changes):
    return json.dumps(json.loads(found().to_json()) | changes)


NO_FINDINGS = [
    ("no JSON", "{", "not JSON: "),
    ("a list", "[]", "no finding: expected an object with schema 'backproof.finding'"),
    ("another schema", broken(schema="x"), "no finding: expected an object with schema 'backproof.finding'"),
    ("another version", broken(version=2), "version is 2: this backproof reads version 1 of backproof.finding"),
    ("no problem", broken(problem=None), "expected an object with schema"),
    ("law is a number", broken(law=3), "no finding: 'law' is 3, expected a string"),
    ("nothing in it", '{"schema": "backproof.finding", "version": 1}', "no finding: 'target' is missing"),
    ("an answer without layers", broken(answer={"schema": "backproof.gradient", "version": 1}), "layers is missing"),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in NO_FINDINGS], ids=[row[0] for row in NO_FINDINGS])
def test_what_is_no_finding_is_refused(text, message):
    with pytest.raises(ProblemError) as refused:
        finding_of(text)
    assert message in str(refused.value)


SPECS = [
    ("my dir/net.py:f", "backproof draw 'my dir/net.py:f' --seed 42 --index 7"),
    ("<lambda>", "backproof.problem_at(7, 42, target=...), the target in its place"),
    ("f", "backproof.problem_at(7, 42, target=...), the target in its place"),
]


@pytest.mark.parametrize(("target", "said"), SPECS, ids=["with a space", "a lambda", "a function"])
def test_what_draws_the_problem_again_can_be_run(target, said):
    assert rows(report_text(report_of(found(target=target))))["seed"] == f"42; before shrinking: {said}"


def test_a_function_of_narrowed_limits_is_drawn_again_with_them():
    finding = found(target="f", drawn_in="float32", drawn_by="--depth 2,2")
    said = "backproof.problem_at(7, 42, target=..., precision='float32'), the target in its place and what --depth 2,2 says"
    assert rows(report_text(report_of(finding)))["seed"] == f"42; before shrinking: {said}"


def test_a_finding_names_the_release_that_shrank_it():
    assert found().data()["hypothesis"] == hypothesis.__version__


def test_a_report_is_plain_data():
    data = json.loads(report_of(found()).to_json())
    assert (data["schema"], data["version"], data["verdict"], data["passed"]) == ("backproof.report", 1, "wrong", False)
    assert data["laws"]["it_answers"] == {
        "held": 9,
        "broken": 0,
        "not_applicable": 1,
        "reasons": {"no\x1b[2Jreason": 1},
        "status": "held",
    }
    assert finding_of(json.dumps(data["findings"][0])).problem == PROBLEM


VERDICTS = [
    ("nothing found", [], {}, "right", True),
    ("nothing judged", [], {"judged": 0}, "inconclusive", False),
    ("lossy", ["lossy"], {}, "lossy", True),
    ("lossy, strictly", ["lossy"], {"strict": True}, "lossy", False),
    ("lossy, and nothing judged", ["lossy"], {"judged": 0}, "inconclusive", False),
    ("two", ["raises", "wrong"], {}, "raises", False),
    ("two, the first of which explains the other", ["wrong", "raises"], {}, "wrong", False),
    ("two, of which the first could not be judged", ["inconclusive", "wrong"], {}, "wrong", False),
    ("an audit that failed", ["inconclusive"], {}, "inconclusive", False),
]


@pytest.mark.parametrize(("verdicts", "changes", "verdict", "passed"), [row[1:] for row in VERDICTS], ids=[row[0] for row in VERDICTS])
def test_the_verdict_of_a_report_is_that_of_its_first_finding_that_fails(verdicts, changes, verdict, passed):
    report = report_of(*(found(verdict=Verdict(name)) for name in verdicts), **changes)
    assert (report.verdict, report.passed) == (verdict, passed)


STATUSES = [
    (LawCount(1, 1, 1), "broken"),
    (LawCount(1, 0, 1), "held"),
    (LawCount(0, 0, 1), "not applicable"),
    (LawCount(), "not applicable"),
]


@pytest.mark.parametrize(("count", "status"), STATUSES, ids=["broken", "held", "not applicable", "never judged"])
def test_a_law_has_one_status(count, status):
    assert count.status == status


def test_a_finding_is_replayed_in_python():
    finding = check(doubled, max_examples=20, seed=1, shrink_seconds=1).findings[0]
    again = replay(finding, target=doubled)
    assert (again.verdict, again.seen, again.judgement.got) == ("wrong", finding.seen, finding.judgement.got)
    assert replay(finding, target=gradient) is None
    with pytest.raises(ProblemError, match="law 'it_shines' is not known: expected one of it_answers, "):
        replay(replace(finding, law="it_shines"), target=doubled)


def test_a_shared_buffer_is_replayed_too():
    def maker():
        buffers = {}

        def one_buffer(problem):
            answer = gradient(problem)
            for i, w in enumerate(answer.weights):
                buffers.setdefault((i, w.shape), np.empty_like(w))[:] = w
            return [buffers[i, w.shape] for i, w in enumerate(answer.weights)], answer.biases

        return one_buffer

    finding = check(maker(), max_examples=40, seed=1, width=2, depth=1).findings[0]
    assert finding.verdict == "impure"
    assert replay(finding, target=maker()) is not None


@pytest.mark.parametrize("name", backproof.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(backproof, name) is not None
    assert name in dir(backproof)


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="module 'backproof' has no attribute 'chekc'"):
        backproof.chekc  # noqa: B018


REPRS = [PROBLEM, PROBLEM.replaced(loss="huber", reduction="mean", wants=["x"]), PROBLEM.replaced(biases=None, x=[[5e-324, 1 / 3]])]


@pytest.mark.parametrize("problem", REPRS, ids=["biases", "loss and wants", "no biases"])
def test_the_repr_of_a_problem_is_the_problem(problem):
    assert eval(repr(problem), {"Problem": Problem}) == problem


@pytest.mark.slow
def test_importing_backproof_stays_light():
    code = "import sys, backproof; print(sorted({'hypothesis', 'flint', 'torch', 'jax', 'rich', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
