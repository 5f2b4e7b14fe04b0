"""Wrong implementations on purpose: the reference with one mistake each."""
