"""SIGTERM and SIGINT as an event to wait for; the second one means it."""

import asyncio
import os
import signal


def stop_event() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process at once, with code 128 + signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stop
