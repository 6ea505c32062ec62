"""From a question in words to a statement whose rows answer it."""
