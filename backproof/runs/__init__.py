"""A run: problems posed, answers judged, failures made smaller, and the report."""
