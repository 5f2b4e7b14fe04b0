"""What a kernel of a function alone is given lies in memory as a problem's own arrays do: strided, reversed, expanded."""

import numpy as np
import pytest

from backproof import Verdict, check
from properties.problems.memory_layouts import MEMORY_LAYOUTS, layout_of
from tests.kernels_of_layers import as_if_contiguous

LAYOUTS, EXPANDED = "the_memory_layout_does_not_matter", "an_expanded_upstream_gradient_is_read_as_it_is"


def activation(z, upstream):
    return upstream * (1 - np.tanh(z) ** 2)


def softmax_cross_entropy(logits, target, upstream):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), target] -= 1
    return p * upstream[:, None]


def gate(gate, up, upstream):
    return upstream * up * (1 - np.tanh(gate) ** 2), upstream * np.tanh(gate)


KERNELS = {"activation": (activation, "tanh"), "softmax_cross_entropy": (softmax_cross_entropy, "identity"), "gate": (gate, "tanh")}

READ_WRONG = [
    ("activation", 0),
    ("activation", 1),
    ("softmax_cross_entropy", 0),
    ("softmax_cross_entropy", 2),
    ("gate", 0),
    ("gate", 1),
    ("gate", 2),
]


def kernel_of(layer, read=None, *, expanded=False):
    """A kernel that reads one of its arrays as if it were contiguous: where that is expanded, or where it is not."""
    right, of = KERNELS[layer]

    def kernel(*arrays):
        given = list(arrays)
        if any(stride < 0 for array in arrays for stride in array.strides):
            raise ValueError("no negative strides")
        if read is not None and given[read].size > 1 and (0 in given[read].strides) is expanded:
            array = given[read].reshape(len(given[read]), -1)
            given[read] = as_if_contiguous(array).reshape(given[read].shape)
        return right(*given)

    kernel.supports = {"layer": layer, "activation": of}
    return kernel


def outcome(kernel, law):
    return check(kernel, seed=1, max_examples=10, laws=[law], shrink_seconds=0, no_diagnosis=True)


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize(("layer", "read"), READ_WRONG)
def test_an_array_that_is_read_as_if_it_were_contiguous_is_caught(layer, read, expanded):
    law = EXPANDED if expanded else LAYOUTS
    assert outcome(kernel_of(layer, read, expanded=expanded), law).laws[law].broken


@pytest.mark.parametrize("law", [LAYOUTS, EXPANDED])
@pytest.mark.parametrize("layer", KERNELS)
def test_who_reads_them_as_they_are_is_right(layer, law):
    report = outcome(kernel_of(layer), law)
    assert report.verdict is Verdict.RIGHT
    assert report.laws[law].held


@pytest.mark.parametrize("layout", MEMORY_LAYOUTS)
@pytest.mark.parametrize("shape", [(3, 4), (2, 2), (5, 2)])
def test_the_layout_of_an_array_is_told(layout, shape):
    array = MEMORY_LAYOUTS[layout](np.repeat(np.arange(1.0, 1.0 + shape[1])[None], shape[0], axis=0))
    assert layout_of([np.ones((1, 1)), array]) == layout


def test_of_one_number_a_stride_is_told():
    for layout in ("strided", "negative_strides", "read_only"):
        assert layout_of([MEMORY_LAYOUTS[layout](np.ones((1, 1)))]) == layout
