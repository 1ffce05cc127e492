"""The `mentos` command as people start it: a process of its own, with a data folder of its own."""

import os
import subprocess
import sys
from pathlib import Path


def environment(home: Path, **variables: str) -> dict[str, str]:
    """What a newcomer's shell holds, and no MENTOS_ variable but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MENTOS_")}
    return {**inherited, "MENTOS_HOME": str(home), **variables}


def mentos(*arguments: str, home: Path, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end in the data folder's parent, where no `.env` lies."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        cwd=home.parent,
        env=environment(home, **variables),
        check=False,
    )
