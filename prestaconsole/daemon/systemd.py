"""Telling systemd how we are, over its socket, without a library. Standard library only."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> bool:
    """Send one message such as ``READY=1``; says whether somebody listens. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # A name that begins with @ lives in the abstract name space, written with a zero byte.
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), address)
        return True
    return False


def watchdog_seconds() -> float | None:
    """Seconds within which systemd expects ``WATCHDOG=1`` from this process, or None where it expects none."""
    try:
        limit = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
        meant = int(os.environ.get("WATCHDOG_PID", str(os.getpid())))
    except ValueError:
        return None
    return limit if limit > 0 and meant == os.getpid() else None
