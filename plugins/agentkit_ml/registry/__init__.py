"""Models in MLflow: how they are stored, found, named, described and counted."""
