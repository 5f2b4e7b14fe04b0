"""Published rules by which gradients are tested, written anew as small tests and put to `backproof challenge`: docs/challenge.md."""
