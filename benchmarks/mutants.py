"""Whether the tests guard the model's corrections: each mutant drops one, and the tests that are named with it must fail.

A mutant is applied in a temporary copy of the checkout. Exits with 1 where a mutant survives, or where the text that it changes is gone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.mutant import Mutant, correction
from benchmarks.mutants_of_sigma import MUTANTS_OF_SIGMA

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "dist", "shared", "*.egg-info")

MUTANTS = (
    correction(
        "p |sum y - 1| dropped from the worst case of softmax cross-entropy",
        "rounding/losses.py",
        "change = change + p * np.abs(total - 1) + model.underflow",
        "change = change + model.underflow",
        "labels_that_sum_to_nearly_1_are_allowed_for_in_the_worst_case",
    ),
    correction(
        "p |sum y - 1| dropped from its variance",
        "rounding/losses.py",
        " + (p * (total - 1)) ** 2 + summed",
        " + summed",
        "labels_that_sum_to_nearly_1_are_allowed_for_at_real_sizes",
    ),
    correction(
        "same_hidden ignored",
        "properties/problems/support.py",
        "if self.same_hidden and any(",
        "if False and any(",
        "hidden_layers_of_different_activations_are_refused_where_they_must_be_the_same",
    ),
    correction(
        "laws that allow 100 times more",
        "properties/laws/posing.py",
        "allowed = a.allowed + b.allowed + np.where(",
        "allowed = 100 * (a.allowed + b.allowed) + np.where(",
        "a_law_allows_what_its_calls_may_be_off_and_no_more",
    ),
    correction(
        "the first explanation named alone",
        "properties/judging/textbook.py",
        "            return explaining\n",
        "            return explaining[:1]\n",
        "no_textbook_function_is_named_alone_where_another_explains_as_much",
    ),
    correction(
        "the cross term of a product's bound dropped",
        "rounding/worst_case.py",
        "slope * error + error * slope_error + model.unit",
        "slope * error + model.unit",
        "two_small_errors_of_a_product_multiply",
    ),
    correction(
        "BEYOND_DOUBT 1",
        "properties/judging/judge.py",
        "BEYOND_DOUBT = 10 / 8",
        "BEYOND_DOUBT = 1",
        "a_suspicion_that_nobody_can_confirm_is_told_from_10_sigma_on",
    ),
    correction(
        "LEAST_FLIPS 0",
        "rounding/second_moment.py",
        "LEAST_FLIPS = 1 / 16",
        "LEAST_FLIPS = 0",
        "a_pre_activation_may_be_on_the_other_side_of_a_kink_by_more_than_a_likely_error",
    ),
    correction(
        "function errors not times batch",
        "rounding/second_moment.py",
        "return alike * np.square(size) + self.dtype(self.least)",
        "return np.square(size) + self.dtype(self.least)",
        "a_function_is_off_by_the_same_for_all_samples_with_one_argument",
    ),
    correction("REACH 1", "rounding/repetition.py", "REACH = 32", "REACH = 1", "numbers_that_are_nearly_equal_round_alike"),
    correction("SHARED dropped", "rounding/arithmetic.py", "SHARED = 8.0", "SHARED = 0.0", "all_terms_of_a_sum_may_share_an_error"),
    correction(
        "NEAR 0",
        "properties/judging/beside_peers.py",
        'NEAR = {"entries": 0.75}',
        'NEAR = {"entries": 0.0}',
        "a_peer_that_does_not_come_near_in_an_entry_excuses_nothing",
    ),
    correction(
        "NEAR 1",
        "properties/judging/beside_peers.py",
        'NEAR = {"entries": 0.75}',
        'NEAR = {"entries": 1.0}',
        "a_peer_that_comes_near_in_an_entry_excuses_it",
    ),
    correction(
        "NEAR_OF_OTHERS 0",
        "properties/judging/beside_peers.py",
        "NEAR_OF_OTHERS = 0.5",
        "NEAR_OF_OTHERS = 0.0",
        "a_peer_that_does_not_come_near_in_a_layer_excuses_nothing",
    ),
    correction(
        "NEAR_OF_OTHERS 1",
        "properties/judging/beside_peers.py",
        "NEAR_OF_OTHERS = 0.5",
        "NEAR_OF_OTHERS = 1.0",
        "a_peer_that_comes_near_in_a_layer_excuses_it",
    ),
    correction(
        "FARTHER without end",
        "properties/judging/beside_peers.py",
        "FARTHER = 8.0",
        "FARTHER = 1e9",
        "what_is_much_farther_than_a_peer_that_comes_near_is_told",
    ),
    correction(
        "FARTHER 1", "properties/judging/beside_peers.py", "FARTHER = 8.0", "FARTHER = 1.0", "what_a_few_peers_did_not_reach_is_excused"
    ),
    correction(
        "a peer's textbook formulas forgotten",
        "properties/judging/beside_peers.py",
        " and not excuses(accurate))",
        " and False)",
        "what_textbook_peers_alone_suffer_is_lossy",
    ),
    correction(
        "accurate peers taken for textbook ones",
        "properties/judging/beside_peers.py",
        "excuses(share) and not excuses(accurate))",
        "excuses(share))",
        "what_textbook_peers_alone_suffer_is_lossy",
    ),
    Mutant(
        "the reference at fault within its worst case",
        "properties/judging/settling.py",
        "if any((entry.outside & of_own[entry.place].mask).any() for entry in entries)",
        "if True",
        ("tests/test_properties_settling.py::test_a_reference_within_its_worst_case_is_not_at_fault",),
    ),
    Mutant(
        "what is far off not told where it cannot be settled",
        "properties/judging/settling.py",
        "if suspected.distance > 2 * suspected.allowed",
        "if False",
        ("tests/test_properties_settling.py::test_a_network_too_large_for_ball_arithmetic_is_inconclusive",),
    ),
    Mutant(
        "some rows settle what all were suspected of",
        "properties/judging/settling.py",
        "(all_asked and by_rows_alone)",
        "True",
        ("tests/test_properties_settling.py::test_what_other_rows_show_is_inconclusive",),
    ),
    Mutant(
        "an aggregate of some rows settles an entry",
        "properties/judging/settling.py",
        " and judgement.bound == suspected.bound",
        "",
        ("tests/test_properties_settling.py::test_rows_that_are_wrong_on_the_whole_do_not_settle_an_entry",),
    ),
    Mutant(
        "a row that was asked for told by its place among those",
        "properties/judging/settling.py",
        "index = (int(rows[place.layer - 1][index[0]]), *index[1:])",
        "pass",
        ("tests/test_properties_settling.py::test_what_only_the_reference_made_look_wrong_is_right",),
    ),
    Mutant(
        "layers that cannot be judged hold up all others",
        "properties/judging/by_second_moment.py",
        "if blunt := beside.blunt:",
        "if blunt := set():",
        ("tests/test_rounding_second_moment.py::test_a_bound_wider_than_the_gradient_of_a_layer_is_inconclusive",),
    ),
    Mutant(
        "blindness by textbook formulas forgotten",
        "properties/judging/blindness.py",
        "frozenset() if strict else None",
        "frozenset()",
        ("tests/test_properties_blindness.py::test_of_gelu_in_bfloat16",),
    ),
    Mutant(
        "slopes next to nothing told",
        "properties/judging/blindness.py",
        ">= NOTABLE",
        ">= 0",
        ("tests/test_properties_blindness.py::test_in_many_bits_no_notable_slope_is_missed[float64-gelu]",),
    ),
    Mutant(
        "z as exact in a blind range as nowhere",
        "properties/judging/blindness.py",
        "model.sum(2) * np.abs(GRID)",
        "0 * np.abs(GRID)",
        ("tests/test_properties_blindness.py::test_where_a_run_is_not_blind_a_missing_slope_is_outside[bfloat16/float32-silu]",),
    ),
    Mutant(
        "a's error left out of the terms of dC/dW",
        "rounding/worst_case.py",
        "_product_bound(turned, turned_error, a + a_error, batch",
        "_product_bound(turned, turned_error, a, batch",
        ("tests/test_rounding_worst_case.py::test_holds_the_largest_errors_that_the_model_allows[float32-textbook]",),
    ),
    Mutant(
        "z that multiplies dC/da forgotten",
        "rounding/worst_case.py",
        "if elementwise(choice)[1].times_z:",
        "if False:",
        ("tests/test_rounding_worst_case.py::test_is_infinite_where_numbers_leave_the_range[the error times z overflows]",),
    ),
    Mutant(
        "numbers that a narrower precision does not hold",
        "properties/judging/judge.py",
        'if name != "float32" and not all(',
        "if False and not all(",
        ("tests/test_properties_verdict.py::test_an_answer_right_to_a_narrower_precision_says_so",),
    ),
    correction(
        "low bits that terms share forgotten",
        "rounding/sums.py",
        "self._coarse(self.problem.y):",
        "False:",
        "differences_of_equal_numbers_and_coarse_ones_round_alike",
    ),
    *MUTANTS_OF_SIGMA,
)


def outcome(mutant: Mutant, copy: Path) -> str:
    """killed, survived, or what is wrong with the mutant itself."""
    path = copy / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.before) != 1:
        return f"its text stands {text.count(mutant.before)} times in {mutant.file}"
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    try:
        status, said = tested(copy, mutant.tests)
    finally:
        path.write_text(text, encoding="utf-8")
    if status not in (0, 1):
        return f"pytest ended with {status}: {said}"
    return "killed" if status and "passed" not in said else "survived"


def tested(copy: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit status of some tests in a copy, and its last line."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, (ran.stdout.strip() or ran.stderr.strip() or "nothing").splitlines()[-1]


@click.command()
@click.option("--only", default="", help="Those mutants whose name holds this text.")
def main(only: str) -> None:
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "checkout"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        status, said = tested(copy, tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests)))
        if status:
            sys.exit(f"the tests fail on the code as it is: {said}")
        survivors = 0
        for mutant in chosen:
            found = outcome(mutant, copy)
            survivors += found != "killed"
            print(f"{mutant.name:<75} {mutant.file:<30} {found}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} killed")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
