"""The table of precisions that a target may compute in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Precision:
    """A binary floating-point format.

    unit: unit roundoff u, half the distance from 1 to the next number; least_normal: the smallest number that keeps
    its digits (results below it may be flushed to zero); largest: the largest finite number;
    bits: of the significand, the leading one included; least_exponent: of the smallest subnormal number;
    flushes: whether engines are known that flush results below the least normal number to zero.
    """

    name: str
    bits: int
    least_exponent: int
    largest: float
    flushes: bool = True

    @property
    def unit(self) -> float:
        return 2.0**-self.bits

    @property
    def least_normal(self) -> float:
        return 2.0 ** (self.least_exponent + self.bits - 1)

    @property
    def lost(self) -> float:
        """What a result that underflows may lose: all of the least normal number, or half of the smallest subnormal one."""
        return self.least_normal if self.flushes else 2.0 ** (self.least_exponent - 1)


PRECISIONS: dict[str, Precision] = {
    row.name: row
    for row in (
        Precision("float64", 53, -1074, (2 - 2.0**-52) * 2.0**1023),
        Precision("float32", 24, -149, (2 - 2.0**-23) * 2.0**127),
        Precision("float16", 11, -24, 65504.0, flushes=False),
    )
}
"""From the widest to the narrowest."""
