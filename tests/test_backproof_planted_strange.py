"""Faults where answers are strange: of types that cannot have them, of another form than the first, infinite, or asked by many threads."""

import enum
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from backproof import Problem, gradient
from backproof.planted import plant as planting
from backproof.planted.answer_faults import ANSWER_FAULTS, Memory
from backproof.planted.answers import arrays_in
from backproof.planted.arrays import LeftAlone
from backproof.planted.catalogue import Mistake
from backproof.planted.plant import NOTHING, Plant, Planted
from backproof.planted.record import Record, read
from properties.faults.fault import Network


class Kind(enum.IntEnum):
    LINEAR = 3


def planted(name, answer):
    return ANSWER_FAULTS[name].planted(answer, Memory())


def of(record, event):
    return [each["what"] for each in read(record.file) if each["event"] == event]


STRANGE = {
    "a mask of uint8": lambda jax: np.array([1, 2, 3], dtype=np.uint8),
    "float0, the gradient of whole numbers": lambda jax: np.zeros(3, dtype=jax.dtypes.float0),
    "a key": lambda jax: jax.random.key(0),
    "a member of an enumeration": lambda jax: Kind.LINEAR,
}


@pytest.mark.parametrize("made", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("fault", ["turned_the_sign", "multiplied_by_2", "answered_nan_in_one_entry", "answered_zeros"])
def test_what_cannot_have_a_fault_does_not_keep_it_from_what_stands_beside(fault, made):
    strange = made(pytest.importorskip("jax"))
    right = np.array([1.0, 2.0])
    changed, beside = planted(fault, (right, strange))
    assert not np.array_equal(changed, right)
    assert type(beside) is type(strange)


def test_an_infinite_entry_is_zero_too_where_zeros_are_answered():
    endless = [[1.0, -np.inf], [np.inf, np.nan]]
    torch = pytest.importorskip("torch")
    jax = pytest.importorskip("jax")
    for made in (np.array, lambda rows: rows, torch.tensor, jax.numpy.asarray):
        assert np.array_equal(np.asarray(planted("answered_zeros", made(endless))), np.zeros((2, 2)))
        assert np.array_equal(np.asarray(planted("lost_a_row", made(endless)))[1], np.zeros(2))


def test_a_number_of_numpy_stays_one_and_a_parameter_stays_one():
    for name in ("changed_one_entry", "answered_nan_in_one_entry", "answered_zeros"):
        assert type(planted(name, np.float64(2.0))) is np.float64
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    for name in ("multiplied_by_2", "forgot_to_transpose", "answered_zeros", "changed_one_entry"):
        assert type(planted(name, parameter)) is torch.nn.Parameter


def test_what_would_change_its_type_is_left_alone():
    masked = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    record = np.rec.array([[1.0, 2.0], [3.0, 4.0]])
    for value in (masked, record):
        for name in ("lost_a_row", "shifted_the_last_axis", "changed_one_entry"):
            try:
                made = planted(name, value)
            except LeftAlone:
                continue
            assert type(made) is type(value)
            assert not hasattr(value, "mask") or made.mask.any()


def test_what_an_object_does_not_take_is_told_and_is_no_error_of_the_test(tmp_path):
    class Fixed:
        __slots__ = ()
        weight = property(lambda self: np.ones(2))

    record = Record(str(tmp_path / "record"))
    plant = Plant("multiplied_by_2", record, keeps=["weight"])
    assert plant.answered(np.ones(2), (Fixed(),), {}).tolist() == [2, 2]
    assert any(".weight" in reason for reason in of(record, "failed"))


def test_many_threads_at_once_all_have_the_fault(tmp_path, monkeypatch):
    """The first calls come while what the fault needs is still imported."""
    begun, threads = threading.Event(), 4

    def slowly(*given):
        begun.wait(0.2)
        return Planted(*given)

    monkeypatch.setattr(planting, "Planted", slowly)
    plant, together = Plant("multiplied_by_2", Record(str(tmp_path / "record"))), threading.Barrier(threads)

    def ask(_):
        together.wait()
        return plant.answered(np.ones(2), (), {}).tolist()

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(ask, range(threads))) == [[2, 2]] * threads


def test_an_array_that_only_a_later_answer_has_is_told_and_tried(tmp_path):
    record = Record(str(tmp_path / "record"))
    plant = Plant(NOTHING, record)
    for answer in (None, np.ones(2), (np.ones(2), np.ones(3)), np.ones(2)):
        plant.answered(answer, (), {})
    assert of(record, "called") == [
        [],
        [["", "float64", "(2,)"]],
        [["[0]", "float64", "(2,)"], ["[1]", "float64", "(3,)"]],
        None,
    ]
    assert "multiplied_by_1_5 [1]" in of(record, "possible")


def sigmoids():
    rng = np.random.default_rng(0)
    weights, biases = [rng.normal(size=(5, 3)), rng.normal(size=(2, 5))], [rng.normal(size=5), rng.normal(size=2)]
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    return Problem(weights, biases=biases, activations=["sigmoid", "sigmoid"], x=x, y=y)


def test_what_two_ways_of_rounding_differ_by_is_no_mistake(monkeypatch):
    problem = sigmoids()
    right, mistake = gradient(problem), Mistake("took_the_slope_of_sigmoid_for_every_activation")

    def rounded_otherwise(given):
        found = Network()(given)
        return found.mapped(lambda place, array: array * (1 + 2.0**-51))

    mistake.wrong = rounded_otherwise
    answer = (list(right.weights), list(right.biases))
    for (_, before), (_, after) in zip(arrays_in(answer), arrays_in(mistake.planted(answer, (problem,), {})), strict=True):
        assert np.array_equal(before, after)
    # what is no rounding is one
    mistake.wrong = lambda given: Network()(given).mapped(lambda place, array: array * (1 + 1e-9))
    wrong = mistake.planted(answer, (problem,), {})
    assert not any(np.array_equal(before, after) for (_, before), (_, after) in zip(arrays_in(answer), arrays_in(wrong), strict=True))


def test_an_array_that_a_mistake_leaves_out_is_left_out_of_its_list():
    problem = sigmoids()
    right, mistake = gradient(problem), Mistake("left_out_the_first_layer")
    weights, biases = mistake.planted((list(right.weights), list(right.biases)), (problem,), {})
    assert [each.shape for each in weights] == [(2, 5)]
    assert [each.shape for each in biases] == [(5,), (2,)]
    with pytest.raises(LeftAlone, match="left out of a list alone"):
        mistake.planted((*right.weights, *right.biases), (problem,), {})


def test_what_is_left_out_is_told_as_a_change(tmp_path):
    problem = sigmoids()
    right, record = gradient(problem), Record(str(tmp_path / "record"))
    plant = Plant("left_out_the_first_layer", record)
    assert len(plant.answered(list(right.weights), (problem,), {})) == 1
    assert of(record, "changed") == ["left_out_the_first_layer"]


def test_a_mistake_with_imaginary_parts_warns_nobody():
    problem = sigmoids()
    right, mistake = gradient(problem), Mistake("turned_the_sign_of_the_error")
    mistake.wrong = lambda given: SimpleNamespace(arrays=lambda: [(place, array + 1j) for place, array in right.arrays()])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mistake.planted((list(right.weights), list(right.biases)), (problem,), {})
