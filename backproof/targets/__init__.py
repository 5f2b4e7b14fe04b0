"""Whatever answers problems: a function, a file, a process of its own."""
