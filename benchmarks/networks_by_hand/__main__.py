"""docs/networks_by_hand.md: `python -m benchmarks.networks_by_hand > docs/networks_by_hand.md`."""

from benchmarks.networks_by_hand.table import page

print(page(), end="")
