"""Leaks and other reasons not to believe a score: one file for each kind of check, `checks` runs them all."""
