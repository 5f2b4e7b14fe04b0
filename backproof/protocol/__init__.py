"""What a run and a target in another process say to each other."""
