"""What a file says of its target, read and not run."""

import pytest

from backproof.findings.source import KERNEL_BY_HAND, KERNEL_OF_A_FRAMEWORK, NETWORK, source_of

NETWORK_OF_TORCH = "import torch\n{}\ndef net():\n    return torch.nn.Linear(2, 2)\n"
KERNEL = "import torch\ndef net(x, weight, bias, upstream):\n    return x\n"

SUPPORTS = {
    "an attribute": 'net.supports = {"layer": "linear"}\n',
    "with its type": 'supports: dict = {"layer": "linear"}\n',
    "of another name": 'SAID = {"layer": "linear"}\nnet.supports = SAID\n',
    "by words": 'net.supports = dict(layer="linear")\n',
    "added to others": 'net.supports = OTHERS | {"layer": "linear"}\n',
    "an argument": 'net = made(net, supports={"layer": "linear"})\n',
}


@pytest.fixture
def said(tmp_path):
    def written(text, encoding="utf-8"):
        file = tmp_path / "student.py"
        file.write_text(text, encoding=encoding)
        return source_of(f"{file}:net")

    return written


def test_a_dict_of_something_else_makes_no_kernel(said):
    for other in ("CONFIG = {'layer': 3}", "draw({'layer': 3})", "net_supports = {'layer': 3}"):
        assert said(NETWORK_OF_TORCH.format(other)) == said(NETWORK_OF_TORCH.format(""))
    assert said(NETWORK_OF_TORCH.format("CONFIG = {'layer': 3}")).kind == NETWORK


@pytest.mark.parametrize("supports", SUPPORTS.values(), ids=SUPPORTS)
def test_a_kernel_says_its_layer_in_its_supports(said, supports):
    assert said(KERNEL + supports).kind in (KERNEL_BY_HAND, KERNEL_OF_A_FRAMEWORK)
    assert said(KERNEL).kind == ""


def test_a_mark_at_its_beginning_does_not_hide_a_file(said):
    assert said(NETWORK_OF_TORCH.format(""), "utf-8-sig") == said(NETWORK_OF_TORCH.format(""))


def test_a_name_with_a_type_is_bound_too(said):
    text = "import torch\nfrom typing import Any\nnet{} = torch.nn.Sequential(torch.nn.Linear(2, 2))\n"
    assert said(text.format(": Any")).kind == said(text.format("")).kind == NETWORK
    assert said(text.format(": Any")).made
