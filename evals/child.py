"""Python code in a process of its own, so that its time and memory are its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def child(code: str, *arguments: str, folder: Path, home: Path | None = None, python: str = sys.executable) -> str:
    """What the code printed. Raises RuntimeError with its last words.

    It runs in `folder`; `home` of agentkit is `.agentkit` in it unless given. `python`: another environment's.
    """
    environment = os.environ | {"AGENTKIT_HOME": str(home or folder / ".agentkit")}
    if python != sys.executable:
        environment.pop("PYTHONPATH", None)
    command = [python, "-W", "ignore", "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return done.stdout
