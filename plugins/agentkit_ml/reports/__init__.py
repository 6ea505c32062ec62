"""Figures and the HTML report of a training or an evaluation."""
