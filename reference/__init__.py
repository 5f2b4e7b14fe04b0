"""Equations 1 to 11 by hand, in NumPy: what backproof holds every implementation against."""
