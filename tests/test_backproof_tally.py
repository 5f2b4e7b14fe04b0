"""A tally: what two runs counted adds up to what one run of both their problems would have counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof import Gradient, ProblemError, check
from backproof.doors.strategies import problems
from backproof.findings.report import LawCount
from backproof.runs.tally import REASONS, SORTS, VALUE_CLASS, Fared, Tally, sorts_of
from properties.judging.judge import verify
from properties.laws.law import HELD, Cadence, broken, not_applicable
from properties.laws.table import LAWS
from properties.problems.blocks import EXACT_CLASS, OTHER_CLASS
from properties.problems.values import VALUE_CLASSES
from properties.verdict import Verdict
from reference.backward import gradient
from reference.gradient import Place
from rounding.precisions import PRECISIONS

NAMES = ["it_answers", "it_agrees_with_the_exact_gradient", "two_calls_agree"]
OUTCOMES = [HELD, broken(Verdict.WRONG, "far off"), not_applicable("no biases"), not_applicable("one sample")]

events = st.lists(
    st.one_of(
        st.tuples(st.just("law"), st.sampled_from(NAMES), st.sampled_from(OUTCOMES)),
        st.tuples(st.just("right"), problems(depth=2, width=3, batch=2), st.sampled_from(list(PRECISIONS))),
        st.tuples(st.just("places"), problems(depth=2, width=3, batch=2), st.none()),
        st.tuples(st.just("problem"), problems(depth=2, width=3, batch=2), st.sampled_from(Fared)),
        st.tuples(st.just("doubt"), st.sampled_from(list(PRECISIONS)), st.none()),
        st.tuples(st.just("note"), st.text(max_size=3), st.none()),
    ),
    max_size=12,
)


def empty() -> Tally:
    return Tally({name: LawCount() for name in NAMES})


def tally_of(counted) -> Tally:
    tally = empty()
    for kind, what, how in counted:
        if kind == "law":
            tally.count(LAWS[what], how, how.status == "broken")
        elif kind == "right":
            tally.count_right([LAWS[name] for name in NAMES], what, sorts_of(what), how)
        elif kind == "places":
            tally.count_places(what, verify(what, gradient(what)))
        elif kind == "problem":
            tally.count_problem(sorts_of(what, "normal"), how, judged=how is not Fared.UNJUDGED)
        elif kind == "doubt":
            tally.doubts[what] += 1
        else:
            tally.notes.append(what)
    return tally


@given(first=events, second=events)
def test_what_two_runs_count_is_what_one_would(first, second):
    """And so do tallies that were saved, which are the same as before; merging leaves both as they were."""
    tallies, both = [tally_of(first), tally_of(second)], tally_of(first + second)
    saved = [Tally.from_data(json.loads(json.dumps(tally.to_data()))) for tally in tallies]
    assert tallies[0].merged(tallies[1]) == both
    assert saved[0].merged(saved[1]) == both
    assert saved == tallies
    assert tallies == [tally_of(first), tally_of(second)]


def test_laws_of_one_run_alone_are_kept():
    one, other = Tally({"it_answers": LawCount(held=2)}), Tally({"two_calls_agree": LawCount(broken=3)})
    assert one.merged(other).laws == one.laws | other.laws


def test_reasons_are_bounded():
    runs = [tally_of(("law", NAMES[2], not_applicable(f"reason {run} {i}")) for i in range(REASONS)) for run in range(2)]
    count = runs[0].merged(runs[1]).laws[NAMES[2]]
    assert count.not_applicable == 2 * REASONS
    assert count.reasons == runs[0].laws[NAMES[2]].reasons


def test_a_layer_is_unjudged_only_if_no_run_judged_it():
    place = Place("weights", 1)
    without, judged = Tally({}, reasons={place: "too large"}), Tally({}, places={place})
    assert [one.place for one in without.unjudged] == [place]
    assert without.merged(judged).unjudged == ()


@pytest.mark.parametrize(("answers", "narrowest"), [([], ""), (["float64"], "float64"), (["float32", "float64"], "float32")])
def test_the_narrowest_precision_is_known(answers, narrowest):
    tally = empty()
    tally.judged_by.update(answers)
    assert tally.narrowest == narrowest


def forgot_tanh(problem):
    """Wrong wherever the second layer has tanh."""
    right = gradient(problem)
    wrong = problem.depth > 1 and problem.activations[1] == "tanh"
    return Gradient([2 * weight for weight in right.weights], right.biases) if wrong else right


def raises_at_one_sample(problem):
    if problem.batch == 1:
        raise ValueError("one sample")
    return gradient(problem)


def by_sort(report):
    """sort -> value -> (passed, failed, unjudged)."""
    return {
        name: {row["value"]: (row["passed"], row["failed"], row["unjudged"]) for row in rows} for name, rows in report.tally["by"].items()
    }


ONE_EACH = sorted({*SORTS, VALUE_CLASS} - {"activation"})
"""The sorts of which a problem has one value."""


@pytest.mark.parametrize("target", [gradient, forgot_tanh, raises_at_one_sample])
def test_what_is_counted_adds_up_to_what_was_posed(target, seed_of_the_run):
    laws = ["it_answers", "inputs_are_left_alone", "it_agrees_with_the_exact_gradient"]
    report = check(target, max_examples=60, seed=seed_of_the_run, shrink_seconds=0, laws=laws)
    for sort in ONE_EACH:
        counts = by_sort(report)[sort].values()
        assert sum(map(sum, counts)) == report.examples
        if target is not raises_at_one_sample:
            # whatever is answered is judged, or nothing can be said of it
            assert sum(passed + failed for passed, failed, _ in counts) == report.judged


def test_a_problem_that_gets_no_answer_has_failed(seed_of_the_run):
    report = check(raises_at_one_sample, max_examples=120, seed=seed_of_the_run, shrink_seconds=0, laws=["it_answers"])
    by_batch = by_sort(report)["batch"]
    assert by_batch[1][0] == by_batch[1][2] == 0 < by_batch[1][1]
    assert all(failed == 0 for batch, (_, failed, _) in by_batch.items() if batch > 1)


def test_it_is_seen_where_a_target_fails(seed_of_the_run):
    """A mistake of one activation fails no problem without it."""
    options = {"activations": ["tanh", "identity"], "depth": (2, 2), "laws": ["it_agrees_with_the_exact_gradient"]}
    report = check(forgot_tanh, max_examples=60, seed=seed_of_the_run, shrink_seconds=0, **options)
    by_activation = by_sort(report)["activation"]
    assert by_activation["tanh"][1] > 0
    assert sum(by_activation["tanh"]) < report.examples
    assert by_sort(report)["depth"] == {2: tuple(map(sum, zip(*by_sort(report)["loss"].values(), strict=True)))}


def test_a_problem_fails_by_a_law_that_asks_further_ones(seed_of_the_run):
    """What is right as it was posed, and wrong in another memory layout: such laws are judged after the problem was counted."""

    def wrong_where_strided(problem):
        right = gradient(problem)
        plain = all(array.flags.c_contiguous for _, array in problem.arrays())
        return right if plain else Gradient([weight + 1 for weight in right.weights], right.biases)

    laws = ["it_agrees_with_the_exact_gradient", "the_memory_layout_does_not_matter", "permuted_nodes_permute_the_gradient"]
    report = check(wrong_where_strided, max_examples=40, seed=seed_of_the_run, shrink_seconds=0, laws=laws)
    broken = {name: count.broken for name, count in report.laws.items() if count.broken}
    assert broken
    assert all(LAWS[name].cadence is Cadence.ROTATED for name in broken)
    counts = by_sort(report)[VALUE_CLASS].values()
    failed = sum(failed for _, failed, _ in counts)
    # two laws may be broken on one problem
    assert max(broken.values()) <= failed <= sum(broken.values())
    assert sum(map(sum, counts)) == report.examples


def test_value_classes_are_those_of_the_plans(seed_of_the_run):
    report = check(gradient, max_examples=100, seed=seed_of_the_run, laws=["it_answers"])
    assert set(by_sort(report)[VALUE_CLASS]) == {*VALUE_CLASSES, EXACT_CLASS}
    assert OTHER_CLASS not in VALUE_CLASSES


def test_parameters_are_told():
    report = check(gradient, max_examples=20, seed=1, activations=["elu", ("elu", {"alpha": -2.0})])
    assert set(by_sort(report)["activation"]) == {"elu", "elu(alpha=-2.0)"}


def test_the_report_holds_the_tally():
    report = check(gradient, max_examples=20, seed=1)
    tally = Tally.from_data(json.loads(report.to_json())["tally"])
    assert (tally.examples, tally.judged, tally.laws) == (report.examples, report.judged, report.laws)


def spoilt(**changes):
    return tally_of([("problem", next_problem(), Fared.PASSED)]).to_data() | changes


def next_problem():
    from properties.problems.blocks import problem_at
    from properties.problems.support import Support

    return problem_at(3, 1, Support())


REFUSED = {
    "a list": ([], "no tally: expected an object with schema 'backproof.tally'"),
    "a report": ({"schema": "backproof.report"}, "no tally: expected an object with schema 'backproof.tally'"),
    "a later version": (spoilt(version=2), "version is 2: this backproof reads version 1 of backproof.tally"),
    "nothing in it": ({"schema": "backproof.tally", "version": 1}, "no tally: 'laws' is missing"),
    "a negative count": (spoilt(judged=-1), "no tally: -1 is no count"),
    "a fraction": (spoilt(examples=1.5), "no tally: 1.5 is no count"),
    "counts of no law": (spoilt(laws=[]), "no tally: "),
    "an unknown quantity": (spoilt(places=[{"quantity": "mass", "layer": 1}]), "no tally: 'mass' is no quantity"),
    "no reason": (spoilt(reasons=[{"quantity": "weights", "layer": 1, "reason": None}]), "no tally: None is no text"),
    "a missing sort": (spoilt(by={}), "no tally: 'depth' is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_tally_is_refused(name):
    data, message = REFUSED[name]
    with pytest.raises(ProblemError) as refused:
        Tally.from_data(data)
    assert message in str(refused.value)
