"""What is called otherwise elsewhere is told by its name here."""

import pytest

from properties.problems.limits import SupportError
from properties.problems.support import Support

CASES = [
    (
        {"output_activations": ["log_softmax"]},
        "'log_softmax' is not known: here it is part of the loss softmax_cross_entropy, behind an output",
    ),
    ({"losses": ["mse"]}, "loss 'mse' is not known: here it is 'mean_squared_error'; expected one of"),
    ({"losses": ["shiny"]}, "loss 'shiny' is not known: expected one of"),
]


@pytest.mark.parametrize(("supports", "said"), CASES, ids=["log_softmax", "mse", "shiny"])
def test_another_name_is_told(supports, said):
    with pytest.raises(SupportError) as error:
        Support.of(supports)
    assert said in str(error.value)
