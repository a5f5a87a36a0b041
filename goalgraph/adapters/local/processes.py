"""Runs the processes of the Procfile through honcho, until one of them ends or standard input closes.

A child of `run.py`, which owns its standard input: so these processes end with it, even where it is killed. Not `honcho start`, because
that gives each line of the Procfile another `PORT`, and our other settings follow from `PORT`.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from goalgraph.adapters.local.embedded import ROOT


class FirstEnd(Printer):
    """honcho's output, with a word on which process ended first: the others then end because of it."""

    told = False

    def write(self, message: Message) -> None:
        super().write(message)
        if self.told or message.name != SYSTEM_PRINTER_NAME:
            return
        stopping = "received" in message.data
        self.told = stopping or " stopped (rc=" in message.data
        if self.told and not stopping:
            super().write(message._replace(data=f"{message.data.split()[0]} ended by itself\n"))


def environment() -> dict[str, str]:
    """Ours, with this virtual environment's programs first on the PATH, and output that is not held back."""
    programs = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]), "PYTHONUNBUFFERED": "1"}


def stop_with_owner(manager: Manager) -> None:
    """Wait until the owner closes our standard input, or has died, and then stop in order."""
    sys.stdin.buffer.read()
    while not manager._all_started():  # until then honcho has no process id to send a signal to, and would stumble
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    # honcho starts a helper process for each line. A fork would copy our thread's locks; macOS spawns anyway.
    multiprocessing.set_start_method("spawn")
    manager = Manager(FirstEnd())
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=environment(), cwd=str(ROOT))
    threading.Thread(target=stop_with_owner, args=[manager], daemon=True).start()
    manager.loop()
    return manager.returncode or 0


if __name__ == "__main__":
    sys.exit(main())
