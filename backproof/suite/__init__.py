"""What `pytest --pyargs backproof.suite` collects: the same name in a clone as in a wheel."""
