"""The verdict of one answer to one problem, and what a verdict rests on."""
