"""Exact problems put to honest implementations: NumPy, PyTorch and JAX in each precision, three orders of sums, one thread and two.

On such a problem nothing rounds, so all must give the same bits as the exact gradient, and an answer with one unit in the last place of
one entry added must break the law. What is not equal is printed with the smallest problem that showed it.

    python -m benchmarks.exact --problems 10000
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from oracles.jax_autodiff import JAX_ACTIVATIONS, JAX_LOSSES
from oracles.torch_autograd import TORCH_ACTIVATIONS, TORCH_LOSSES
from properties.answers.answer import Answer
from properties.laws.law import Case, Status
from properties.laws.of_exactness import it_is_exact_where_nothing_rounds
from properties.problems.architecture import pick_architecture
from properties.problems.blocks import SeededPicker
from properties.problems.exact import is_exact
from properties.problems.exact_numbers import exact_problems_of_seed
from properties.problems.support import Support
from reference.backward import gradient
from reference.dtypes import DTYPES
from reference.functions.activations import ACTIVATIONS
from reference.functions.losses import LOSSES
from reference.functions.parametrised import name_and_parameters, row_of
from reference.gradient import Gradient
from reference.problem import Problem

ORDERS = ("plain", "blocked", "pairwise")
BLOCK, LEAF = 3, 16
"""How many terms a block has; so many terms and fewer are a product of the engine's own, where many are added up in pairs."""

REAL_EACH = 10
"""One structure in so many is of real size."""

TOLD_EVERY = 500
"""After so many problems it is said how far it is."""

Given = tuple[list[Any], list[Any], Any]
Engine = Callable[[Problem, str, str], Given]
"""dC/dW, dC/db and dC/dx of a problem, a dtype and an order."""


def product(a: Any, b: Any, order: str) -> Any:
    """a b^T of arrays or tensors, (m, n) and (p, n): by the engine, in blocks from the last to the first, or in pairs."""
    n = a.shape[1]
    if order == "plain" or n == 1:
        return a @ b.T
    if order == "blocked":
        parts = [a[:, i : i + BLOCK] @ b[:, i : i + BLOCK].T for i in range(0, n, BLOCK)][::-1]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total
    half = n // 2 if n <= LEAF else n - LEAF
    return product(a[:, :half], b[:, :half], order) + product(a[:, half:], b[:, half:], order)


def by_numpy(problem: Problem, dtype: str, order: str) -> Given:
    """Both passes by hand, each operation rounded to the dtype."""
    kind = DTYPES[dtype]
    weights = [w.astype(kind) for w in problem.weights]
    a, kept = problem.x.astype(kind), []
    for w, b, choice in zip(weights, problem.biases, problem.activations, strict=True):
        z = product(a, w, order)
        z = z if b is None else z + b.astype(kind)
        row = row_of(ACTIVATIONS, choice)
        kept.append((a, row.derivative(z.astype(np.float64)).astype(kind)))
        a = row.value(z.astype(np.float64)).astype(kind)
    y, row = problem.y.astype(kind), row_of(LOSSES, problem.loss)
    error = row.derivative((a - y).astype(np.float64), 0 * problem.y).astype(kind) if row.of_differences else y
    error = error / kind.type(problem.batch if problem.reduction == "mean" else 1)
    dW, db = [], []
    for w, (below, slope) in zip(weights[::-1], kept[::-1], strict=True):
        delta = error * slope
        dW.append(product(delta.T, below.T, order))
        db.append(product(np.ones((1, len(delta)), dtype=kind), delta.T, order)[0])
        error = product(delta, w.T, order)
    return dW[::-1], [None if b is None else g for b, g in zip(problem.biases, db[::-1], strict=True)], error


def by_torch(problem: Problem, dtype: str, order: str) -> Given:
    """autograd; in blocks with gradients added up over two halves of the batch."""
    import torch
    import torch.nn.functional as F

    def leaf(numbers: Any) -> Any:
        return None if numbers is None else torch.tensor(numbers, dtype=getattr(torch, dtype), requires_grad=True)

    weights, biases, x = [leaf(w) for w in problem.weights], [leaf(b) for b in problem.biases], leaf(problem.x)
    y = leaf(problem.y).detach()
    name, parameters = name_and_parameters(problem.loss)
    halves = 2 if order == "blocked" and problem.batch > 1 else 1
    for part in range(halves):
        chosen = slice(part * problem.batch // halves, (part + 1) * problem.batch // halves)
        a = x[chosen]
        for w, b, choice in zip(weights, biases, problem.activations, strict=True):
            z = F.linear(a, w, b) if order == "plain" else product(a, w, order)
            z = z if b is None or order == "plain" else z + b
            activation, more = name_and_parameters(choice)
            a = TORCH_ACTIVATIONS[activation](F, z, **more)
        loss = TORCH_LOSSES[name](F, a, y[chosen], **parameters)
        (loss / problem.batch if problem.reduction == "mean" else loss).backward()

    def array(tensor: Any) -> Any:
        return tensor.grad.float().numpy().astype(DTYPES[dtype]) if dtype == "bfloat16" else tensor.grad.numpy()

    return [array(w) for w in weights], [None if b is None else array(b) for b in biases], array(x)


_compiled: dict[Any, Any] = {}
FORGETS_AFTER = 60
"""JAX keeps what it compiles, some 20 MB for each structure."""


def by_jax(problem: Problem, dtype: str, order: str) -> Given:
    """jax.grad, compiled."""
    import jax

    with jax.enable_x64(True):
        key = (problem.widths, problem.batch, str(problem.activations), str(problem.loss), problem.reduction, dtype, order)
        if key not in _compiled:
            if len(_compiled) == FORGETS_AFTER:
                _compiled.clear()
                jax.clear_caches()

            def loss(parts: Any, y: Any) -> Any:
                weights, biases, a = parts
                for w, b, choice in zip(weights, biases, problem.activations, strict=True):
                    z = product(a, w, order)
                    activation, more = name_and_parameters(choice)
                    a = JAX_ACTIVATIONS[activation](jax, z if b is None else z + b, **more)
                name, parameters = name_and_parameters(problem.loss)
                losses = JAX_LOSSES[name](jax, a, y, **parameters)
                return losses.mean() if problem.reduction == "mean" else losses.sum()

            _compiled[key] = jax.jit(jax.grad(loss))

        def numbers(array: Any) -> Any:
            return None if array is None else jax.numpy.asarray(array, dtype=dtype)

        given = ([numbers(w) for w in problem.weights], [numbers(b) for b in problem.biases], numbers(problem.x))
        weights, biases, x = jax.tree.map(np.asarray, _compiled[key](given, numbers(problem.y)))
        return weights, biases, x


ENGINES: dict[str, Engine] = {"NumPy": by_numpy, "PyTorch": by_torch, "JAX": by_jax}


def problems(count: int, seed: int, dtype: str, each: int) -> Iterator[Problem]:
    """So many exact problems, with so many each of a structure; those of real size are fewer."""
    structure, drawn = 0, 0
    small, real = (Support.of({"sizes": sizes}).of_exact for sizes in ("small", "real"))
    while drawn < count:
        structure += 1
        is_real = structure % REAL_EACH == 0
        architecture = pick_architecture(SeededPicker(seed, structure), real if is_real else small)  # type: ignore[arg-type]
        stack = exact_problems_of_seed(architecture, (seed, structure), dtype, max(2, each // 10) if is_real else each, ("x",))
        exact = np.flatnonzero(is_exact(stack, dtype))
        for place in islice(exact, count - drawn):
            drawn += 1
            yield stack.at(place)


def is_equal(given: Given, right: Gradient) -> bool:
    """Whether all of it is equal, bit for bit but for the sign of zero."""
    pairs = [*zip(given[0], right.weights, strict=True), *zip(given[1], right.biases or (), strict=True), (given[2], right.x)]
    return all(np.array_equal(np.asarray(got, dtype=np.float64), exact) for got, exact in pairs if got is not None)


def is_caught(problem: Problem, dtype: str, rng: np.random.Generator) -> bool:
    """Whether the law is broken by a target whose dC/dW is off by one unit in the last place, in one entry of one layer."""
    layer = int(rng.integers(problem.depth))
    index = tuple(int(rng.integers(n)) for n in problem.weights[layer].shape)

    def ask(posed: Problem, memory_layout: str = "contiguous") -> Answer:
        right = gradient(posed)
        weights = [w.astype(DTYPES[dtype]) for w in right.weights]
        weights[layer].view(f"u{weights[layer].itemsize}")[index] += 1
        biases = [None if b is None else g.astype(DTYPES[dtype]) for b, g in zip(posed.biases, right.biases or (), strict=True)]
        return Answer(Gradient(weights, biases))

    return it_is_exact_where_nothing_rounds(Case(problem, ask, dtype)).status is Status.BROKEN


def measured(count: int, seed: int, engines: list[str], precisions: list[str], threads: int, each: int) -> dict[str, Any]:
    """How many answers were equal and how many were not, by engine, dtype and order."""
    if "PyTorch" in engines:
        import torch

        torch.set_num_threads(threads)
    rows: dict[str, Counter[str]] = {}
    smallest: dict[str, Problem] = {}
    rng = np.random.default_rng(seed)
    for dtype in precisions:
        caught = Counter[str]()
        for number, problem in enumerate(problems(count, seed, dtype, each), 1):
            right = gradient(problem)
            caught["caught" if is_caught(problem, dtype, rng) else "missed"] += 1
            for engine in engines:
                for order in ORDERS:
                    name = f"{engine}, {dtype}, {order}"
                    with np.errstate(all="ignore"):
                        equal = is_equal(ENGINES[engine](problem, dtype, order), right)
                    rows.setdefault(name, Counter())["equal" if equal else "not equal"] += 1
                    if not equal and (name not in smallest or problem.size < smallest[name].size):
                        smallest[name] = problem
            if number % TOLD_EVERY == 0 or number == count:
                equal = sum(row["equal"] for name, row in rows.items() if f" {dtype}," in name)
                asked = sum(row.total() for name, row in rows.items() if f" {dtype}," in name)
                said = f"{equal} of {asked} answers equal, one unit caught on {caught['caught']} of {caught.total()} problems"
                print(f"{dtype}, {threads} threads, {time.process_time():.0f} s: {said}", file=sys.stderr, flush=True)
        rows[f"one unit in the last place, {dtype}"] = caught
    return {"rows": {name: dict(row) for name, row in rows.items()}, "smallest": {name: repr(one) for name, one in smallest.items()}}


def main() -> None:
    """Measure with each number of threads in a process of its own, since libraries read it once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--precisions", default=",".join(DTYPES))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--each", type=int, default=25, help="problems of each structure, which JAX compiles")
    parser.add_argument("--in-process", action="store_true", help="with the one number of threads, here")
    options = parser.parse_args()
    if options.in_process:
        given = (options.problems, options.seed, options.engines.split(","), options.precisions.split(","))
        print(json.dumps(measured(*given, int(options.threads), options.each)))
        return
    for threads in options.threads.split(","):
        single = "false" if threads == "1" else "true"
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads) | {"XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={single}"}
        arguments = ["--problems", str(options.problems), "--seed", str(options.seed), "--engines", options.engines]
        arguments += ["--precisions", options.precisions, "--threads", threads, "--each", str(options.each), "--in-process"]
        started = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.exact", *arguments]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"\nthreads: {threads}; {time.monotonic() - started:.0f} s", flush=True)
        for name, row in found["rows"].items():
            print(f"  {name:<40} {', '.join(f'{count} {what}' for what, count in row.items())}")
        for name, problem in found["smallest"].items():
            print(f"  NOT EQUAL: {name}: {problem}")


if __name__ == "__main__":
    main()
