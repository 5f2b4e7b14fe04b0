"""What is raised where a problem cannot be posed, or a file cannot be read."""


class ProblemError(ValueError):
    """A problem that cannot be posed; the message says what was given, what is allowed and what to do."""
