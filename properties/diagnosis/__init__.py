"""Diagnosis: where a target is wrong and why, from its answers alone. Read-outs propose, a table names, reproduction disposes."""
