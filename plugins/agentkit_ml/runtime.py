"""What must be set in this process before scikit-learn and MLflow are imported."""

from __future__ import annotations

import logging
import os


def prepare_process() -> None:
    """Let idle OpenMP threads sleep, keep MLflow from calling home and from writing to the terminal.

    Cheap, and safe to call again.
    """
    # spinning threads make small fits up to 20 times slower; read once, when the OpenMP runtime loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
