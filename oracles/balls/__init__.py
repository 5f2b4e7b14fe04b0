"""Ball arithmetic: intervals that certainly hold the exact gradient."""
