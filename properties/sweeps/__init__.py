"""One activation at every number of a format, or at numbers of every size: where g and g' are off, and by how much."""
