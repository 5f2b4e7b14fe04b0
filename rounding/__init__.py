"""What rounding may do to an honest pass, worst case and as a rule: the bounds that verdicts rest on."""
