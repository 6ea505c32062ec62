"""Collections of documents that are searched by words and by meaning."""
