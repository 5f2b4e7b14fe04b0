"""Throughput: how many small problems are judged in a second of one core, beside what people do today.

    python -m benchmarks.throughput [--examples 30000] [--others 300]

Problems of up to 4 layers, 6 nodes and 5 samples, with all activations and losses; the target is plain NumPy, called twice for each
problem, and its inputs are compared. The same target is then held against PyTorch with assert_close in a plain @given, and put to
gradcheck, which says as well how many right answers they accuse. Times are of the processor, so that other processes count little.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from backproof import check, strategies
from benchmarks.unit import plain, unit_of
from oracles import torch_autograd
from properties.problems.blocks import draw_problems
from properties.problems.support import Support
from reference.forward import forward
from reference.problem import Problem

SMALL: dict[str, Any] = {"depth": 4, "width": 6, "batch": 5}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=30_000)
    parser.add_argument("--others", type=int, default=300, help="problems for assert_close and gradcheck")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    unit = float(np.median([unit_of(problem) for problem in draw_problems(200, 1, Support(depth=(1, 4)))]))
    print(f"unit: a plain NumPy pass of a problem takes {1e6 * unit:.0f} us")
    check(plain, max_examples=50, seed=0)
    start = time.process_time()
    report = check(plain, max_examples=options.examples, seed=1, **SMALL)
    seconds = time.process_time() - start
    told("backproof check", report.judged, seconds, unit, f"{report.verdict}, {report.examples} problems posed")
    for name, right in (("@given, PyTorch and assert_close", close_to_torch), ("@given and gradcheck", passes_gradcheck)):
        verdicts: list[bool] = []
        start = time.process_time()
        given_problems(lambda problem, right=right, verdicts=verdicts: verdicts.append(right(problem)), options.others)
        seconds = time.process_time() - start
        told(name, len(verdicts), seconds, unit, f"accuses {verdicts.count(False)} of {len(verdicts)} right answers")


def told(name: str, problems: int, seconds: float, unit: float, more: str) -> None:
    """One line."""
    print(f"{name}: {problems / seconds:.0f} problems a second, {seconds / problems / unit:.1f} units each; {more}", flush=True)


def given_problems(visit: Callable[[Problem], Any], count: int) -> None:
    """A plain @given."""

    @settings(max_examples=count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies.problems(**SMALL))
    def each(problem: Problem) -> None:
        visit(problem)

    each()


def close_to_torch(problem: Problem) -> bool:
    """Whether assert_close at its defaults finds the target as PyTorch is."""
    import torch

    with np.errstate(all="ignore"):
        mine, theirs = plain(problem), torch_autograd.answer(problem).gradient
    try:
        for place, array in theirs.arrays():
            if place.quantity in ("weights", "biases"):
                torch.testing.assert_close(torch.tensor(dict(mine.arrays())[place]), torch.tensor(array))
    except AssertionError:
        return False
    return True


def passes_gradcheck(problem: Problem) -> bool:
    """Whether gradcheck at its defaults passes the target's gradient of the loss by all weights."""
    import torch

    class Loss(torch.autograd.Function):
        """The loss, whose backward pass is the target's."""

        @staticmethod
        def forward(context: Any, *weights: Any) -> Any:
            context.posed = problem.replaced(weights=[weight.detach().numpy() for weight in weights])
            with np.errstate(all="ignore"):
                return torch.tensor(float(forward(context.posed).loss), dtype=torch.float64)

        @staticmethod
        def backward(context: Any, *slope: Any) -> Any:
            with np.errstate(all="ignore"):
                return tuple(slope[0] * torch.tensor(weight) for weight in plain(context.posed).weights)

    weights = [torch.tensor(weight, requires_grad=True) for weight in problem.weights]
    try:
        return bool(torch.autograd.gradcheck(Loss.apply, weights, raise_exception=False))
    except (RuntimeError, ValueError):
        return False


if __name__ == "__main__":
    main()
