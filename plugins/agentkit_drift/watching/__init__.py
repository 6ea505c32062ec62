"""Watches: checks on a schedule, with a history, and word of changes."""
