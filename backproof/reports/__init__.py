"""Reports: each tells the same data in its own way."""
