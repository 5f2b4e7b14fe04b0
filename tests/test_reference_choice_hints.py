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
    ({"activations": ["tahn"]}, "activation 'tahn' is not known: did you mean 'tanh'? expected one of"),
    ({"activations": ["ReLU"]}, "did you mean 'relu'?"),
    ({"losses": ["mean squared eror"]}, "did you mean 'mean_squared_error'?"),
    ({"activations": [("elu", {"alhpa": 1.0})]}, "has no parameter 'alhpa': did you mean 'alpha'? it takes"),
    ({"activation": ["tanh"]}, "supports has 'activation': did you mean 'activations'? expected any of"),
    ({"reduction": ["sum"]}, "did you mean 'reductions'?"),
    ({"reductions": ["means"]}, "reductions is ['means']: did you mean 'mean'? expected a list"),
    ({"reductions": "sum"}, "reductions is 'sum': expected a list"),
    ({"values": "tames"}, "did you mean 'tame'?"),
    ({"sizes": "reel"}, "did you mean 'real'?"),
    ({"wants": ["delta"]}, "did you mean 'deltas'?"),
    ({"nothing_alike": True}, "supports has 'nothing_alike': expected any of"),
    ({"losses": ["shiny"]}, "loss 'shiny' is not known: expected one of"),
]


@pytest.mark.parametrize(("supports", "said"), CASES, ids=[str(supports) for supports, _ in CASES])
def test_another_name_is_told(supports, said):
    with pytest.raises(SupportError) as error:
        Support.of(supports)
    assert said in str(error.value)
