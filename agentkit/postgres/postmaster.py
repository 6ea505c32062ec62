"""Runs a program of PostgreSQL as a user that it accepts, and stops the server when nobody uses it any more.

A script of its own, not imported: `python -I -S postmaster.py IDENTITY USERS_LOCK FOLDER PROGRAM ARGUMENT...`, with
the standard library alone, so that it starts in 20 ms and stays small beside the server. IDENTITY is `same`,
`namespace` or `UID:GID`. With USERS_LOCK, a file on which every process that uses the server holds a shared lock, it
stays as the server's parent and removes the server's temporary FOLDER in the end; with `-` for both it becomes
PROGRAM. Exits 77 if IDENTITY cannot be had.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import threading

NOT_PERMITTED = 77
_NEW_USER_NAMESPACE = 0x10000000
_PARENT_DEATH_SIGNAL = 1
_UNPRIVILEGED = 65534


def main(identity: str, users_lock: str, folder: str, *command: str) -> None:
    """Never returns: PROGRAM's exit status becomes this process's."""
    users = None if users_lock == "-" else os.open(users_lock, os.O_RDWR)
    try:
        become(identity)
    except OSError as error:
        sys.stderr.write(f"cannot run as {identity!r}: {error}\n")
        sys.exit(NOT_PERMITTED)
    if users is None:
        os.execv(command[0], command)  # noqa: S606
    else:
        watch(users, folder, command)


def become(identity: str) -> None:
    """PostgreSQL refuses uid 0. In a user namespace root is another uid there and still root's files' owner."""
    if identity == "namespace":
        uid, gid = os.geteuid(), os.getegid()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_NEW_USER_NAMESPACE):
            raise OSError(ctypes.get_errno(), "user namespaces are not permitted here")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{_UNPRIVILEGED} {uid} 1"),
            ("gid_map", f"{_UNPRIVILEGED} {gid} 1"),
        ):
            file = os.open(f"/proc/self/{name}", os.O_WRONLY)
            os.write(file, text.encode())
            os.close(file)
    elif identity != "same":
        uid, gid = map(int, identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def watch(users: int, folder: str, command: tuple[str, ...]) -> None:
    """Start the server, and stop it (fast shutdown) as soon as nobody else holds the lock."""
    parent = os.getpid()
    server = os.fork()
    if server == 0:
        _stop_with(parent)
        os.execv(command[0], command)  # noqa: S606

    def stop_when_unused() -> None:
        # the kernel gives the lock when the last holder is gone, however it went; no polling, no pid files
        fcntl.flock(users, fcntl.LOCK_EX)
        os.kill(server, signal.SIGINT)

    threading.Thread(target=stop_when_unused, daemon=True).start()
    _, status = os.waitpid(server, 0)
    with contextlib.suppress(OSError):
        os.rmdir(folder)  # noqa: PTH106
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _stop_with(parent: int) -> None:
    """If the parent is killed, the server shuts down (Linux; elsewhere it runs until the next start clears it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
