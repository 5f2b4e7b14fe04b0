"""What goes into the processes of somebody's own test: a fault in place of the answers of the function that it is to test.

`backproof challenge` starts the test's command with `site/` on PYTHONPATH and the fault named in the environment; Python imports
`site/sitecustomize.py` at its start, and that the rest of this folder. It stands by itself, needs the standard library alone and has
imports that begin with a dot, since backproof need not be installed where the test runs; the faults' names and words are read from here by
the other side too.
"""
