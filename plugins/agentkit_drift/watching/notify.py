"""Word of a change: a webhook (HTTP POST of JSON) and a command, neither of which ever stops a watch.

Addresses and headers may hold secrets: no message names more of them than the host.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentkit.errors import AgentkitError
from agentkit_drift.watching.config import Command, WatchFile, Webhook, with_variables

if TYPE_CHECKING:
    from agentkit_drift.watching.history import Run

_MOST_NAMES = 50
_PASSING = (408, 425, 429)
_LONGEST_PAUSE = 30.0


class NotTold(AgentkitError):
    """A webhook or a command did not take the word; it is tried again at the next run."""


def message(run: Run, report: str | None) -> dict[str, Any]:
    """What is told of a change: plain data, no cell values."""
    return {
        "watch": run.watch,
        "state": run.state,
        "before": run.before,
        "run": run.id,
        "started_at": run.started_at.isoformat(),
        "reference": run.reference,
        "current": run.current,
        "rows": run.rows,
        "drifted": list(run.drifted)[:_MOST_NAMES],
        "drifted_share": run.drifted_share,
        "weighted_share": run.weighted_share,
        "recommendation": run.recommendation,
        "error": run.error,
        "report": report,
        "text": _text(run),
    }


def tell(
    watch: WatchFile, told: dict[str, Any], folder: Path, pause: Callable[[float], Any] = time.sleep
) -> list[NotTold]:
    """Tell the webhook and the command of the watch; what went wrong comes back. `pause` waits between tries."""
    wrong: list[NotTold] = []
    for send in (
        (lambda: _post(watch.webhook, told, pause)) if watch.webhook else None,
        (lambda: _run(watch.command, told, folder)) if watch.command else None,
    ):
        if send is not None:
            try:
                send()
            except NotTold as error:
                wrong.append(error)
    return wrong


def addressed(hook: Webhook) -> tuple[str, dict[str, str]]:
    """The url and the headers with the environment's variables in their places. Raises SettingsError."""
    url = with_variables(hook.url, "the webhook's url")
    headers = {name: with_variables(value, f"header {name!r} of the webhook") for name, value in hook.headers.items()}
    return url, headers


def _text(run: Run) -> str:
    """One line for a chat: what services such as Slack show of a webhook's `text`."""
    before = run.before or "no run yet"
    names = ", ".join(run.drifted[:5]) + (" ..." if len(run.drifted) > 5 else "")
    about = run.error or (f"drifted: {names}." if run.drifted else "no column drifted.")
    return f"{run.watch}: {run.state} (before: {before}). {about} {run.recommendation}".strip()


def _post(hook: Webhook | None, told: dict[str, Any], pause: Callable[[float], Any]) -> None:
    import httpx

    assert hook is not None
    # its log has whole addresses
    logging.getLogger("httpx").setLevel(logging.WARNING)
    url, headers = addressed(hook)
    where = f"the webhook on {urlsplit(url).hostname!r}"
    for attempt in range(hook.retries + 1):
        try:
            answer = httpx.post(url, json=told, headers=headers, timeout=hook.timeout_seconds)
        except httpx.InvalidURL as error:
            raise NotTold("the webhook's url is no address. Correct it in the file of the watch.") from error
        except httpx.TransportError as error:
            why, passing = f"cannot be reached ({type(error).__name__})", True
        else:
            if answer.is_success:
                return
            why = f"answered {answer.status_code}"
            passing = answer.status_code >= 500 or answer.status_code in _PASSING
        if not passing or attempt == hook.retries:
            raise NotTold(f"{where} {why}; the next run tells it again. Check its url and headers.")
        pause(min(0.5 * 2**attempt, _LONGEST_PAUSE))


def _run(command: Command | None, told: dict[str, Any], folder: Path) -> None:
    assert command is not None
    program = Path(command.run[0]).name
    try:
        ended = subprocess.run(
            command.run, input=json.dumps(told), cwd=folder, timeout=command.timeout_seconds, check=False, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors="replace",
            env=os.environ | {"AGENTKIT_WATCH": told["watch"], "AGENTKIT_STATE": told["state"]},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotTold(
            f"the command {program!r} was stopped after {command.timeout_seconds:g} s; the next run calls it again."
        ) from error
    except OSError as error:
        raise NotTold(f"the command {program!r} cannot be run: {error.strerror}.") from error
    if ended.returncode:
        said = (ended.stderr.strip().splitlines() or ["it says nothing"])[-1][:200]
        raise NotTold(f"the command {program!r} ended with {ended.returncode}: {said}. The next run calls it again.")
