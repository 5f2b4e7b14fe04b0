"""A tally: what two runs counted adds up to what one run of both their problems would have counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.doors.strategies import problems
from backproof.findings.report import LawCount
from backproof.runs.tally import REASONS, Tally
from properties.judging.judge import verify
from properties.laws.law import HELD, broken, not_applicable
from properties.laws.table import LAWS
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
            tally.count_right([LAWS[name] for name in NAMES], what, how)
        elif kind == "places":
            tally.count_places(what, verify(what, gradient(what)))
        elif kind == "doubt":
            tally.doubts[what] += 1
        else:
            tally.notes.append(what)
    return tally


@given(first=events, second=events)
def test_what_two_runs_count_is_what_one_would(first, second):
    assert tally_of(first).merged(tally_of(second)) == tally_of(first + second)


@given(counted=events)
def test_merging_leaves_both_as_they_were(counted):
    tally, other = tally_of(counted), tally_of(counted)
    tally.merged(other)
    assert tally == other == tally_of(counted)


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
