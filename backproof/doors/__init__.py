"""The ways in: the command, pytest, and what both allow."""
