"""Faults of answers: each does what its name says to arrays of every library, keeps their type, and leaves inputs alone."""

import dataclasses
import functools
import importlib.util
import json
import sys
from collections import OrderedDict, namedtuple
from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from backproof.planted.answer_faults import ANSWER_FAULTS, Memory
from backproof.planted.answers import arrays_in, form_of, mapped
from backproof.planted.arrays import LeftAlone
from backproof.planted.plant import NOTHING, Plant, Planted
from backproof.planted.record import Record, read

MATRIX = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]

MADE = {
    "answered_zeros": [[0, 0, 0], [0, 0, 0]],
    "turned_the_sign": [[-1, -2, -3], [-4, -5, -6]],
    "multiplied_by_2": [[2, 4, 6], [8, 10, 12]],
    "multiplied_by_1_5": [[1.5, 3, 4.5], [6, 7.5, 9]],
    "multiplied_by_1_01": [[1.01, 2.02, 3.03], [4.04, 5.05, 6.06]],
    "multiplied_by_1_001": [[1.001, 2.002, 3.003], [4.004, 5.005, 6.006]],
    "lost_a_row": [[1, 2, 3], [0, 0, 0]],
    "counted_a_row_twice": [[1, 2, 3], [8, 10, 12]],
    "answered_a_row_twice": [[1, 2, 3], [1, 2, 3]],
    "forgot_to_transpose": [[1, 4, 2], [5, 3, 6]],
    "shifted_the_last_axis": [[3, 1, 2], [6, 4, 5]],
    "changed_one_entry": [[1, 2, 3], [7, 5, 6]],
    "answered_nan_in_one_entry": [[1, 2, 3], [float("nan"), 5, 6]],
}
"""What stands in place of MATRIX."""

NOISY = {"added_noise_of_1e_2": 1e-2, "added_noise_of_1e_4": 1e-4}
OF_ANSWERS = ("answered_as_the_call_before", "swapped_two_outputs")


def jax_array(rows):
    return pytest.importorskip("jax").numpy.asarray(rows, dtype="float32")


def tensor(rows):
    return pytest.importorskip("torch").tensor(rows)


LIBRARIES = {
    "float64": np.array,
    "float32": lambda rows: np.array(rows, dtype=np.float32),
    "columns first": lambda rows: np.asfortranarray(np.array(rows)),
    "list": lambda rows: [list(row) for row in rows],
    "torch": tensor,
    "jax": jax_array,
}
each_library = pytest.mark.parametrize("made", LIBRARIES.values(), ids=LIBRARIES)


def planted(name, answer, memory=None):
    return ANSWER_FAULTS[name].planted(answer, memory or Memory())


def as_numpy(value):
    return np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=np.float64)


def test_every_fault_is_tried_here():
    assert set(ANSWER_FAULTS) == {*MADE, *NOISY, *OF_ANSWERS}


@each_library
@pytest.mark.parametrize("name", MADE)
def test_a_fault_does_what_its_name_says(name, made):
    answer = made(MATRIX)
    wrong = planted(name, answer)
    assert type(wrong) is type(answer)
    assert getattr(wrong, "dtype", None) == getattr(answer, "dtype", None)
    np.testing.assert_allclose(as_numpy(wrong), MADE[name], rtol=1e-6)
    np.testing.assert_array_equal(as_numpy(answer), MATRIX, err_msg="the answer itself was written to")


@each_library
@pytest.mark.parametrize("name", NOISY)
def test_noise_is_as_large_as_it_says_in_every_entry_and_always_the_same(name, made):
    answer = made([[float(i + j * 40 + 1) for i in range(40)] for j in range(25)])
    off = as_numpy(planted(name, answer)) / as_numpy(answer) - 1
    assert np.all((abs(off) > 0.45 * NOISY[name]) & (abs(off) < 1.01 * NOISY[name]))
    assert 300 < (off > 0).sum() < 700
    np.testing.assert_array_equal(off, as_numpy(planted(name, answer)) / as_numpy(answer) - 1)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("fault", [*MADE, *NOISY])
def test_narrow_types_stay_what_they_are(fault, name):
    dtype = np.dtype(np.float16) if name == "float16" else np.dtype(ml_dtypes.bfloat16)
    assert planted(fault, np.array(MATRIX).astype(dtype)).dtype == dtype
    torch = pytest.importorskip("torch")
    assert planted(fault, torch.tensor(MATRIX, dtype=getattr(torch, name))).dtype == getattr(torch, name)


@pytest.mark.parametrize("value", [2.0, np.float32(2.0), np.float64(2.0), 2 + 1j, np.array(2.0)], ids=lambda value: type(value).__name__)
def test_numbers_are_faulted_too_and_stay_what_they_are(value):
    assert planted("multiplied_by_1_5", value) == 1.5 * value
    assert type(planted("multiplied_by_1_5", value)) is type(value)
    with pytest.raises(LeftAlone, match="no rows"):
        planted("lost_a_row", value)


def test_whole_numbers_are_left_alone_by_what_would_make_fractions_of_them():
    for value in (3, [1, 2], np.array([1, 2])):
        assert np.array_equal(planted("multiplied_by_2", value), 2 * np.asarray(value))
        with pytest.raises(LeftAlone, match="whole"):
            planted("multiplied_by_1_5", value)
    assert type(planted("turned_the_sign", 3)) is int


def test_what_is_no_number_is_left_alone():
    for value in (
        None,
        "text",
        True,
        {"a": None},
        (),
        [],
        np.array([True]),
        np.array(["a"]),
        object(),
        tensor([True]),
        tensor(MATRIX).shape,
    ):
        assert arrays_in(value) == []
        with pytest.raises(LeftAlone, match="no array"):
            planted("answered_zeros", value)


@pytest.mark.filterwarnings("error")
def test_numbers_at_the_end_of_the_range_come_without_a_warning():
    for value in (np.array([1.7e308, -1.7e308, np.inf, np.nan]), np.float32(3e38), [1e308, 1.7e308]):
        for name in (*MADE, *NOISY):
            with suppress(LeftAlone):
                planted(name, value)


def test_an_empty_array_is_right_as_it_is():
    with pytest.raises(LeftAlone, match="without entries"):
        planted("answered_zeros", np.zeros((0, 3)))


def test_a_row_that_is_zero_already_is_not_the_one_that_is_lost():
    assert planted("lost_a_row", np.array([1.0, 2.0, 0.0])).tolist() == [0, 2, 0]


Pair = namedtuple("Pair", "dW db")


@dataclasses.dataclass(frozen=True)
class Held:
    weights: list
    name: str = "kept"

    @functools.cached_property
    def total(self):
        return sum(float(weight.sum()) for weight in self.weights)


HOLDERS = [
    (lambda a: (a, 2.0), ["[0]", "[1]"]),
    (lambda a: [a, None, {"b": a}], ["[0]", "[2]['b']"]),
    (lambda a: Pair(a, a[0]), ["[0]", "[1]"]),
    (lambda a: OrderedDict(W=a), ["['W']"]),
    (lambda a: Held([a, a]), [".weights[0]", ".weights[1]"]),
]


@pytest.mark.parametrize(("holder", "paths"), HOLDERS, ids=["tuple", "list", "namedtuple", "dict", "dataclass"])
def test_what_holds_arrays_stays_what_it_is(holder, paths):
    answer = holder(np.array(MATRIX))
    wrong = planted("multiplied_by_2", answer)
    assert type(wrong) is type(answer)
    assert [path for path, _ in arrays_in(wrong)] == paths == [path for path, *_ in form_of(answer)]
    for (_, before), (_, after) in zip(arrays_in(answer), arrays_in(wrong), strict=True):
        np.testing.assert_array_equal(np.asarray(after), 2 * np.asarray(before))
    alone = Planted(f"multiplied_by_1_5 {paths[-1]}").answer(answer)
    assert [np.array_equal(a, b) for (_, a), (_, b) in zip(arrays_in(answer), arrays_in(alone), strict=True)].count(False) == 1


def test_what_a_dataclass_computed_of_what_it_held_is_forgotten():
    answer = Held([np.ones(3)])
    assert answer.total == 3
    assert planted("multiplied_by_2", answer).total == 6


def test_lists_of_unequal_lengths_are_lists_of_arrays():
    assert [path for path, _ in arrays_in([[1.0, 2.0], [3.0]])] == ["[0]", "[1]"]
    assert form_of([[1.0, 2.0], [3.0, 4.0]]) == [["", "list", "(2, 2)"]]


def test_the_call_before_is_kept_as_it_was():
    memory, buffer = Memory(), np.array([1.0, 2.0])
    with pytest.raises(LeftAlone, match="no call before"):
        planted("answered_as_the_call_before", buffer, memory)
    buffer[:] = 7
    assert planted("answered_as_the_call_before", buffer, memory).tolist() == [1, 2]
    assert planted("answered_as_the_call_before", np.array([9.0, 9.0]), memory).tolist() == [7, 7]
    with pytest.raises(LeftAlone, match="of this form"):
        planted("answered_as_the_call_before", np.zeros(3), memory)


def test_two_outputs_of_one_shape_change_places():
    one, other = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert [each.tolist() for each in planted("swapped_two_outputs", (np.zeros(3), one, other))] == [[0, 0, 0], [3, 4], [1, 2]]
    with pytest.raises(LeftAlone, match="no two outputs"):
        planted("swapped_two_outputs", (one, other.astype(np.float32)))


def test_a_tensor_keeps_its_graph_so_that_a_forward_pass_can_be_a_target():
    torch = pytest.importorskip("torch")
    for name in (*MADE, *NOISY):
        x = torch.tensor(MATRIX, requires_grad=True)
        planted(name, 3 * x).sum().backward()
        assert x.grad is not None, name


def test_faults_can_be_made_inside_a_function_that_jax_compiles():
    jax = pytest.importorskip("jax")
    for name in MADE:
        made = jax.jit(lambda a, name=name: planted(name, a))(jax_array(MATRIX))
        np.testing.assert_allclose(as_numpy(made), MADE[name], rtol=1e-5)
    with pytest.raises(LeftAlone, match="compiled"):
        jax.jit(lambda a: planted("answered_as_the_call_before", a))(jax_array(MATRIX))


def told(tmp_path, label, answers):
    record = Record(str(tmp_path / "record"))
    plant = Plant(label, record)
    given = [plant.answered(answer, (), {}) for answer in answers]
    return given, read(record.file)


def of(events, event):
    return [each["what"] for each in events if each["event"] == event]


def test_nothing_is_planted_and_what_could_be_is_told(tmp_path):
    answer = (np.ones((2, 2)), np.array([1.0]))
    given, events = told(tmp_path, NOTHING, [answer])
    assert given[0] is answer
    assert of(events, "called") == [[["[0]", "float64", "(2, 2)"], ["[1]", "float64", "(1,)"]]]
    possible = of(events, "possible")
    assert {"answered_zeros", "multiplied_by_1_5 [0]", "multiplied_by_1_5 [1]"} <= set(possible)
    # ones are the same transposed and shifted, and there is one call alone
    assert not {"forgot_to_transpose", "shifted_the_last_axis", "answered_as_the_call_before", "swapped_two_outputs"} & set(possible)
    assert "swapped_two_outputs: no two outputs have one shape" in of(events, "left_alone")


def test_a_change_is_told_once_and_only_where_there_is_one(tmp_path):
    given, events = told(tmp_path, "answered_zeros", [np.zeros(2), np.ones(2), np.ones(2)])
    assert [each.tolist() for each in given] == [[0, 0]] * 3
    assert of(events, "changed") == ["answered_zeros"]
    assert len(of(events, "called")) == 3


def test_what_rounding_swallows_is_no_change(tmp_path):
    _, events = told(tmp_path, "multiplied_by_1_001", [np.ones(3, dtype=ml_dtypes.bfloat16)])
    assert of(events, "changed") == []


def test_an_error_of_ours_is_told_and_leaves_the_answer_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(Planted, "answer", lambda *given: 1 / 0)
    given, events = told(tmp_path, "answered_zeros", ["answer"])
    assert given == ["answer"]
    assert of(events, "failed") == ["answered_zeros: ZeroDivisionError: division by zero"]


def test_an_answer_that_holds_itself_is_left_as_it_is(tmp_path):
    endless = [np.ones(2)]
    endless.append(endless)
    given, events = told(tmp_path, NOTHING, [endless])
    assert given[0] is endless
    assert any("RecursionError" in reason for reason in of(events, "failed"))


def test_a_line_that_is_not_whole_yet_is_left_out(tmp_path):
    file = tmp_path / "record"
    file.write_text(json.dumps({"event": "called", "what": ""}) + '\n{"event": "cal')
    assert len(read(str(file))) == 1
    assert read(str(tmp_path / "absent")) == []


def test_mapped_tells_each_path():
    assert mapped({"a": [1.0, 2.0]}, lambda path, value: (path, value)) == {"a": ("['a']", [1.0, 2.0])}


def test_the_folder_needs_the_standard_library_alone():
    """What goes into somebody else's process imports nothing of backproof, and no framework."""
    folder = Path(importlib.util.find_spec("backproof.planted").submodule_search_locations[0])
    files = list(folder.rglob("*.py"))
    assert len(files) > 8
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")) and not line.startswith("from ."):
                assert line.split()[1].partition(".")[0] in sys.stdlib_module_names, f"{file}: {line}"
