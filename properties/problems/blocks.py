"""Drawing: which problems a run poses, in which order. (seed, index) -> problem is a pure function, so that any can be had again.

A run is a row of blocks. The problems of a block share one architecture and one plan for their numbers; the first blocks hold one
problem each, later ones up to 128, so that a short run sees many structures and a long one costs little for each problem.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from random import Random
from typing import TypeVar

import numpy as np

from properties.problems.architecture import Picker, pick_architecture
from properties.problems.exact_numbers import exact_problems_of_seed
from properties.problems.support import Support
from properties.problems.values import VALUE_CLASSES, ValuePlan, pick_plan, problems_of_seed, tame_problems_of_seed, without_near_kinks
from reference.problem import Problem
from rounding.precisions import PRECISIONS

T = TypeVar("T")

STEP, STEPS = 6, 7
"""After each 2^STEP blocks a block holds twice as many problems, STEPS times; the first 2^(STEP + 1) hold one."""

LARGEST_BLOCK = 2**17
"""So many numbers the problems of a block may have."""

REAL_CLASSES = ("normal", "zeros", "one_sign")
"""The value classes of networks of real size, in which the others only saturate or overflow."""

OTHER_CLASS = "other"
"""The value class of problems that no plan was drawn for: shrunk, or posed by laws."""

EXACT_CLASS = "exact"
"""The value class of problems on which nothing rounds."""

EXACT_EACH, EXACT_EACH_IN_FEW_BITS, FEW_BITS = 8, 4, 11
"""One block in so many is exact, the first of them the second of a run; more in few bits, of which other bounds say least."""

SIZES = ("depth", "batch", "width", "long")
"""What is small in the first blocks, and grows."""


@dataclass(frozen=True)
class Block:
    """Problems of one architecture and one plan. number: of the block, first: the index of its first problem, both from 0.

    value_class: how their numbers were drawn, a key of VALUE_CLASSES, "exact", or "other".
    """

    number: int
    first: int
    problems: Problem
    """A stack."""
    value_class: str = OTHER_CLASS

    def __len__(self) -> int:
        return len(self.problems.x)


def block_at(index: int, seed: int, support: Support, precision: str) -> Block:
    """The block that holds the problem with an index; precision: the one that all numbers are exact in."""
    # block sizes double where the index does, so that the bits of the index tell all
    doubled = min(max(index.bit_length() - STEP - 1, 0), _steps(support))
    number = (index >> doubled) + (doubled << STEP)
    first = index >> doubled << doubled
    each = EXACT_EACH_IN_FEW_BITS if PRECISIONS[precision].bits <= FEW_BITS else EXACT_EACH
    if support.of_exact and (support.values == "exact" or number % each == 1):
        return _exact_block(number, first, 1 << doubled, seed, support.of_exact, precision)
    if index == 0 and support.values != "tame":
        architecture, plan = pick_architecture(_Simplest(), support), ValuePlan("short")
        return Block(0, 0, problems_of_seed(architecture, plan, 1, precision, 1), plan.value_class)
    picker: Picker = SeededPicker(seed, number) if index else _Simplest()
    architecture = pick_architecture(picker, support)
    wants = picker.pick("wants", ((), support.wants)) if support.wants else ()
    if support.values == "tame":
        stack = tame_problems_of_seed(architecture, (seed, number), precision, 1 << doubled, wants)
        return Block(number, first, stack, "normal")
    if support.sizes == "real":
        plan = ValuePlan(picker.pick("value class", REAL_CLASSES), special=picker.pick("special", ("", "", "equal_samples")))
        stack = problems_of_seed(architecture, plan, (seed, number), precision, 1 << doubled, wants)
        # on which side of a kink rounding comes out is no question of right or wrong
        stack = without_near_kinks(stack.at(0), precision).at(np.newaxis) if len(stack.x) == 1 else stack
        return Block(number, first, stack, plan.value_class)
    plan = pick_plan(picker, picker.pick("value class", tuple(VALUE_CLASSES)))
    stack = problems_of_seed(architecture, plan, (seed, number), precision, 1 << doubled, wants)
    return Block(number, first, stack, plan.value_class)


def _exact_block(number: int, first: int, count: int, seed: int, support: Support, precision: str) -> Block:
    picker: Picker = SeededPicker(seed, number) if number else _Simplest()
    architecture = pick_architecture(picker, support)
    wants = picker.pick("wants", ((), support.wants)) if support.wants else ()
    return Block(number, first, exact_problems_of_seed(architecture, (seed, number), precision, count, wants), EXACT_CLASS)


def first_of_doubled(doubled: int) -> int:
    """The index from which on blocks hold 2^doubled problems, or more, where they do not get too large."""
    return 1 << (STEP + doubled) if doubled else 0


def _steps(support: Support) -> int:
    """How often blocks may double: large problems come in smaller blocks, which are judged at once and must fit into memory."""
    (_, depth), (_, batch), (_, width) = (support.drawn(name) for name in ("depth", "batch", "width"))
    numbers = (depth * width + 2 * batch) * (width + 1)
    return max(0, min(STEPS, (LARGEST_BLOCK // numbers).bit_length() - 1))


def one_of_each_block(count: int, seed: int, support: Support, precision: str = "float64") -> Iterator[Problem]:
    """The first problems of so many blocks: each of a structure of its own."""
    return (block.problems.at(0) for block in islice(blocks(seed, support, precision), count))


def blocks(seed: int, support: Support, precision: str) -> Iterator[Block]:
    """Block after block, without end."""
    index = 0
    while True:
        block = block_at(index, seed, support, precision)
        yield block
        index += len(block)


def problem_at(index: int, seed: int, support: Support, precision: str = "float64") -> Problem:
    """The problem with an index, from 0, in the run of a seed.

    Always the same one, but for the last bit of a tie or of an output without error: these take a forward pass, whose sums
    another processor's library may round otherwise.
    """
    block = block_at(index, seed, support, precision)
    return block.problems.at(index - block.first)


def draw_problems(count: int, seed: int, support: Support, precision: str = "float64") -> Iterator[Problem]:
    """The first problems of the run of a seed, one by one."""
    for block in blocks(seed, support, precision):
        for i in range(len(block)):
            if block.first + i == count:
                return
            yield block.problems.at(i)


class SeededPicker:
    """A seed decides. Whatever has n options takes each of them once in n blocks, in an order of its own; early blocks are small."""

    long = True

    def __init__(self, seed: int, block: int) -> None:
        self._seed, self._block = seed, block

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        count = len(options)
        if key in SIZES or (isinstance(key, tuple) and key[0] in SIZES):
            count = min(count, max(3, ceil(count * (self._block + 8) / 64)))
        if count == 1:
            return options[0]
        turn, place = divmod(self._block, count)
        random = Random(f"{self._seed} {key} {turn}")
        return options[sorted(range(count), key=lambda _: random.random())[place]]

    def number(self, key: Hashable) -> float:
        raise NotImplementedError("numbers are drawn from a seed, by the value class")


class _Simplest:
    """The first option always: options stand from simple to complicated."""

    long = False

    def pick(self, key: Hashable, options: Sequence[T]) -> T:
        return options[0]

    def number(self, key: Hashable) -> float:
        return 1.0
