"""What every right implementation obeys, one law a function."""
