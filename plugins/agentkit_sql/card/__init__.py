"""The schema card: what a chat model is told about a database."""
