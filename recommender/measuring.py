"""How much memory a step takes."""

import re
import resource
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# What the kernel wants to hear to forget the highest memory so far: man 5 proc, clear_refs.
FORGET_PEAK = "5"


def forget_peak() -> None:
    """Let ``peak_mb`` begin anew, where the system can."""
    with suppress(OSError):
        RESET.write_text(FORGET_PEAK)


def peak_mb() -> float:
    """Return the most memory that this process held, in MB: since ``forget_peak`` on Linux, else since its start."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
        if found:
            return round(int(found[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
