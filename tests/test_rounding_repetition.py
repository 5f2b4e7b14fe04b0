"""How many numbers and samples are alike, by a sample of them."""

import numpy as np
import pytest

from rounding.repetition import Repetition, RepetitionSampler, alike

U = 2.0**-24


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_alike_counts_equal_numbers():
    rows = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 1.05, 1.1, 0.0], [5.0, 5.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert alike(rows, np.full(4, 0.1)).tolist() == [1.0, 3.0, 1.5, 1.0]
    assert alike(rows[:1], np.array([0.1])).tolist() == [1.0]


@pytest.mark.parametrize("runs", [[2], [3], [2, 2], [4], [2, 3], [100]])
def test_runs_of_any_length_count_by_their_squares(runs):
    """Short runs are counted by another way than long ones."""
    rest = 200 - sum(runs)
    row = np.concatenate([np.arange(rest) + 1000.0, *(np.full(length, -10.0 * i - 1) for i, length in enumerate(runs))])
    assert alike(rng().permutation(row)[None], np.array([0.1])) == [(rest + sum(length**2 for length in runs)) / 200]


@pytest.mark.parametrize("n", [20, 1000])
@pytest.mark.parametrize("times", [1, 4, 10])
def test_what_is_alike_is_estimated_from_a_sample(n, times):
    matrix = np.repeat(rng().normal(size=(30, n // times)), times, axis=1)
    found = RepetitionSampler(2.0**-53, 1).look([np.ones((2, 3)), matrix])[1].alike
    if n == 20:
        assert found == times
    else:  # the largest of eight rows, of each of which an eighth is looked at
        assert 0.9 * times <= found <= 1.8 * times


def test_rows_mostly_of_one_sign():
    positive, mixed = np.abs(rng().normal(size=(9, 300))), rng().normal(size=(300, 9))
    assert [look.one_sign for look in RepetitionSampler(U, 1).look([positive, positive.T, mixed, mixed.T])] == [True, True, False, False]


def test_products_are_alike_as_the_factor_of_which_fewer_are():
    looks = RepetitionSampler(U, 1)
    equal, apart = np.ones((4, 50)), rng().normal(size=(4, 50))
    assert looks.least(Repetition(50.0, True), equal) == 50
    assert looks.least(Repetition(50.0, True), apart) < 2
    assert looks.least(Repetition(1.0, False), equal) == 1


def test_samples_that_are_alike_are_counted_by_a_projection():
    values = rng().normal(size=(40, 7))
    doubled = np.concatenate([values[:20], values[:20]])
    squares = [np.sum(array * array, axis=1) for array in (values, doubled)]
    assert RepetitionSampler(2.0**-53, 1).samples([values, doubled], squares) == [1.0, 2.0]
