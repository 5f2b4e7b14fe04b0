"""What a target answered: whether it is an answer, and what form it has."""
