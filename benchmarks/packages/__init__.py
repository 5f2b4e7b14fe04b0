"""Published packages with a backward pass by hand, and what brings each to backproof. Nothing of theirs is here."""
