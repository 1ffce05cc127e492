"""The data folder, held by one process at a time: who holds it, and where they can be spoken to."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.conversation.model import Mendable


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a folder. `port` is its loopback relay for terminals, opened with `token`."""

    pid: int
    port: int | None = None
    token: str | None = None


class FolderHeld(Mendable):
    """Another process holds the folder."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = f"process {holder.pid}" if holder else "another process"
        super().__init__(f"{path} is in use by {who}; stop it, or set MENTOS_HOME to another folder")
        self.holder = holder


class DataFolder:
    """An open folder. The lock falls with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Create and lock the folder. Raises `FolderHeld`, and `Mendable` where it cannot be written."""
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Mendable(
                f"the data folder {path} cannot be used ({error.strerror}); set MENTOS_HOME to a folder that this user "
                "may write"
            ) from error
        self.path = path
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise FolderHeld(path, _holder_of(path)) from None
        self.announce(Holder(os.getpid()))

    def announce(self, holder: Holder) -> None:
        """Write down who holds the folder, for other processes to read."""
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps(asdict(holder)).encode(), 0)

    def close(self) -> None:
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def _holder_of(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads((path / "lock").read_bytes()))
    except (OSError, ValueError, TypeError):  # between its lock and its first words
        return None
