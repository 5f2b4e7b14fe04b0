"""The installed Hypothesis does what we use of it beyond what it documents; a release that does not is named."""

from contextlib import contextmanager, suppress
from importlib.metadata import version

import hypothesis.core
import hypothesis.database
import pytest
from hypothesis import currently_in_test_context, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, NoSuchExample, Unsatisfiable

from properties.problems.architecture import Architecture
from properties.problems.support import Support
from properties.problems.values import ValuePlan, problem_of_seed

RELEASE = f"Hypothesis {version('hypothesis')} is not as properties/problems/hypothesis_internals.py has it: "
PAIR = st.tuples(st.integers(0, 100), st.floats(-1000, 1000))
SAVED = [77, 250.5]


def fails(pair):
    return pair[0] >= 3 and pair[1] >= 10


@contextmanager
def named():
    """Whatever goes wrong is told with the release that is installed."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{RELEASE}{type(error).__name__}: {error}") from error


@pytest.fixture
def internals():
    with named():
        from properties.problems import hypothesis_internals

    return hypothesis_internals


class Stop(BaseException):
    """As shrinking leaves Hypothesis when its time is up."""


def first_tried(internals, strategy, choices):
    tried = []

    def stop(value):
        tried.append(value)
        raise Stop

    with suppress(Stop):
        internals.shrunk_from(choices, strategy, stop)
    return tried


def saved_failures_are_tried_first(internals):
    with named():
        assert first_tried(internals, PAIR, SAVED) == [tuple(SAVED)], "a failure that was saved by its choices is what `find` tries first"


def saved_failures_are_shrunk(internals):
    with named():
        assert internals.shrunk_from(SAVED, PAIR, fails) == (3, 10.0), "what was saved with a superfluous choice is shrunk"


def the_seed_of_the_run_is_known(internals, config):
    seed = config.getoption("--hypothesis-seed")
    with named():
        assert str(internals.forced_seed()) == str(seed), "hypothesis.core.global_force_seed is what --hypothesis-seed says"


def test_saved_failures_are_tried_first(internals):
    saved_failures_are_tried_first(internals)


def test_a_problem_that_is_recorded_is_what_is_tried_first(internals):
    from properties.problems.strategies import Recorder, pick_problem, problems_of

    support = Support()
    architecture = Architecture((3, 4, 2), 4, ("tanh", "identity"), (True, False), "softmax_cross_entropy", "mean")
    problem = problem_of_seed(architecture, ValuePlan("normal"), seed=5)
    recorder = Recorder(problem)
    pick_problem(recorder, support, "float64", ("free",))
    with named():
        tried = first_tried(internals, problems_of(support, "float64", ("free",)), recorder.choices)
        assert tried == [problem], "st.integers draws one integer, and st.floats one float"


def test_saved_failures_are_shrunk(internals):
    saved_failures_are_shrunk(internals)


def test_what_is_no_exception_leaves_at_once(internals):
    tried = []

    def third_is_too_late(pair):
        tried.append(pair)
        if len(tried) == 3:
            raise Stop
        return fails(pair)

    with named():
        with pytest.raises(Stop):
            internals.shrunk_from(SAVED, PAIR, third_is_too_late)
        assert len(tried) == 3


def test_what_does_not_fail_or_not_twice_is_told(internals):
    answers = iter([True])
    with named():
        with pytest.raises(NoSuchExample):
            internals.shrunk_from(SAVED, PAIR, lambda pair: False)
        with pytest.raises(Flaky):
            internals.shrunk_from(SAVED, PAIR, lambda pair: next(answers, False))


def test_the_seed_of_the_run_is_known(internals, pytestconfig):
    the_seed_of_the_run_is_known(internals, pytestconfig)


def test_without_a_seed_none_is_forced(internals, monkeypatch):
    monkeypatch.setattr("hypothesis.core.global_force_seed", None)
    assert internals.forced_seed() is None


def test_another_thread_is_in_the_middle_of_no_test(internals):
    seen = []

    @settings(max_examples=1, database=None)
    @given(st.just(None))
    def within(_):
        seen.append((currently_in_test_context(), internals.outside_of_tests(currently_in_test_context)))
        seen.append(internals.outside_of_tests(lambda: internals.shrunk_from(SAVED, PAIR, fails)))
        with pytest.raises(ZeroDivisionError):
            internals.outside_of_tests(lambda: 1 // 0)

    with named():
        within()
        assert seen == [(True, False), (3, 10.0)], "a thread that is started in the middle of a test is no part of it"


# What a release may change, and that it would be named: how choices are written, what is taken for shrunk already, and where the seed is.


def test_a_release_that_reads_choices_otherwise_would_be_named(internals, monkeypatch):
    monkeypatch.setattr(internals, "choices_to_bytes", lambda choices: repr(choices).encode())
    with pytest.raises(AssertionError, match=RELEASE):
        saved_failures_are_tried_first(internals)


def test_a_release_that_heeds_nothing_superfluous_would_be_named(internals, monkeypatch):
    monkeypatch.setattr(internals, "choices_to_bytes", lambda choices: hypothesis.database.choices_to_bytes(list(choices)[:-1]))
    with pytest.raises(AssertionError, match=f"{RELEASE}.*superfluous"):
        saved_failures_are_shrunk(internals)


def test_a_release_without_the_seed_would_be_named(internals, monkeypatch, pytestconfig):
    monkeypatch.delattr(hypothesis.core, "global_force_seed")
    with pytest.raises(AssertionError, match=f"{RELEASE}.*global_force_seed"):
        the_seed_of_the_run_is_known(internals, pytestconfig)


def test_where_nothing_can_be_drawn_nothing_is_printed(internals, capsys, monkeypatch):
    """Without a seed that is forced Hypothesis would print its own, which spoils a report as JSON."""
    monkeypatch.setattr(hypothesis.core, "global_force_seed", None)
    with pytest.raises(Unsatisfiable):
        internals.shrunk_from(SAVED, PAIR.filter(lambda pair: False), fails)
    assert capsys.readouterr() == ("", "")
