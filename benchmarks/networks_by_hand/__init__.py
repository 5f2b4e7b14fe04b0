"""Networks by hand in the forms in which people write them, each right and with one mistake, and what brings each to backproof."""
