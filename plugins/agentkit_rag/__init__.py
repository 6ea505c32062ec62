"""Index documents, search them, and answer from them with the sources shown."""
