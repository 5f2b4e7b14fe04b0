"""All networks by hand, each entered where it stands, and the page that shows what brings each to backproof."""

from benchmarks.networks_by_hand import classes, functions, updates
from benchmarks.networks_by_hand.network import NETWORKS, ByHand

__all__ = ["NETWORKS", "page"]

INTRODUCTION = """# Networks by hand

Forms in which people write networks, and what brings each to backproof. Each stands in full in
[benchmarks/networks_by_hand](../benchmarks/networks_by_hand), right and with one mistake: the right ones pass, the others fail, in
tests/test_benchmarks_networks_by_hand.py. This page is written by `python -m benchmarks.networks_by_hand`.
`SIGMOID` is `{"activations": ["sigmoid"], "biases": True}`.
"""


def page() -> str:
    """The page, in Markdown."""
    rows = [f"| [{name}](#{name}) | {_cell(network)} |" for name, network in NETWORKS.items()]
    table = "\n".join(["| network | form | mistake of the wrong one | lines |", "| --- | --- | --- | --- |", *rows])
    shown = [f"## {name}\n\n{_sentence(network.form)}\n\n```python\n{_code(network)}\n```" for name, network in NETWORKS.items()]
    return "\n\n".join([INTRODUCTION.strip(), table, *shown]) + "\n"


def _cell(network: ByHand) -> str:
    lines = len([line for line in network.glue if line.strip()])
    return f"{network.form} | {network.mistake} | {lines}"


def _sentence(form: str) -> str:
    return f"{form[0].upper()}{form[1:]}."


def _code(network: ByHand) -> str:
    code = "\n".join(network.glue)
    return code.replace("return from_class(", "target = from_class(").replace("return adapt(", "target = adapt(")


_ENTERED = classes, functions, updates
