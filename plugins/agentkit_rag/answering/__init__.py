"""Answers from passages: every claim cites what stands in a source."""
