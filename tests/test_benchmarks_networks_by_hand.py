"""Networks as people write them: right ones pass, wrong ones do not, and few lines bring them in."""

from pathlib import Path

import numpy as np
import pytest

from backproof import check
from benchmarks.networks_by_hand.table import NETWORKS, page

MOST_GLUE = 5
"""Lines, but empty ones."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:the matrix subclass"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_right_one_passes(name):
    np.random.seed(1)
    report = check(NETWORKS[name].make(False), max_examples=8, seed=1, shrink_seconds=0)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_wrong_one_fails(name):
    np.random.seed(1)
    law = ["it_agrees_with_the_exact_gradient"]
    report = check(NETWORKS[name].make(True), max_examples=8, seed=3, shrink_seconds=0, laws=law)
    assert "wrong" in {finding.verdict for finding in report.findings}, str(report)


@pytest.mark.parametrize("name", NETWORKS)
def test_few_lines_bring_it_in(name):
    assert 1 <= len([line for line in NETWORKS[name].glue if line.strip()]) <= MOST_GLUE


def test_the_page_shows_them():
    assert (Path(__file__).parent.parent / "docs" / "networks_by_hand.md").read_text(encoding="utf-8") == page()
