"""The tables of activations and losses: value, derivative and what else the mathematics says of each."""
