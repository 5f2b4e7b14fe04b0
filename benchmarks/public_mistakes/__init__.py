"""Mistakes from public threads, written anew as people write them, each with its mended twin."""
