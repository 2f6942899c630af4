"""Feed the targets with bytes that atheris makes, which looks for ways through the code that it has not seen.

    python tests/fuzz/cover.py FOLDER SECONDS [TARGET]...

FOLDER keeps what leads somewhere new, for the next time, and what was found, as `TARGET-crash-...` or the like. SECONDS
are for all targets together, each in a process of its own; without any named, for all that there are.
"""

import contextlib
import io
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: it has wheels for Linux on x86-64, and Python 3.11 to 3.13.")

# What reads the bytes, also where that is not ours: faults in there come to us.
_READERS = ["mailtrack", "mailtrack_wsgi", "werkzeug", "tomllib", "email_validator"]

with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=_READERS):
    import tomllib  # noqa: F401  # likewise

    import email_validator  # noqa: F401  # else only loaded when needed
    from targets import TARGETS

_SECONDS_AT_LEAST = 5  # for a target; a process takes some to begin
NAMES = {target.__name__: target for target in TARGETS}


def run_one(folder: Path, seconds: int, name: str) -> None:
    """Run a target until the time is up, which ends the process; its exit code is not 0 if something was found."""
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[NAMES[name]]):
        (corpus / f"seed-{number}").write_bytes(seed)
    warnings.simplefilter("ignore")  # Pillow warns of what it finds in hostile images
    options = [f"-max_total_time={seconds}", "-timeout=5", "-rss_limit_mb=1024", "-max_len=8192", "-verbosity=0"]
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={folder}/{name}-", *options], NAMES[name])
    atheris.Fuzz()


def main() -> None:
    """Run the targets that are named, or all, in any order; where time is short, those that come first."""
    folder, seconds, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] or list(NAMES)
    if len(names) == 1:
        run_one(folder, seconds, names[0])
    share = max(_SECONDS_AT_LEAST, seconds // len(names))
    until = time.monotonic() + seconds
    failed = []
    for name in random.sample(names, len(names)):
        if time.monotonic() >= until:
            break
        print(f"{name}, for {share} seconds", flush=True)  # noqa: T201  # progress
        if subprocess.run([sys.executable, __file__, folder, str(share), name], check=False).returncode:
            failed.append(name)
    sys.exit(f"Found something: {', '.join(failed)}" if failed else None)


main()
