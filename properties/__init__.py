"""Hypothesis: whole problems at random, laws that every right implementation obeys, and the verdict."""
