"""Lists of robots that the judge is compared with. They know only the user agent."""

import json
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from crawleruseragents import is_crawler
from device_detector import DeviceDetector

Says = Callable[[str], bool]  # whether a machine sent it

# Reads user agents from standard input; file descriptor 0 is the portable name of that.
_ISBOT = """
const {isbot} = require("isbot");
process.stdout.write(JSON.stringify(JSON.parse(require("fs").readFileSync(0, "utf8")).map(one => isbot(one))));
"""

crawler_user_agents: Says = is_crawler


@cache  # it takes milliseconds
def device_detector(user_agent: str) -> bool:
    return bool(DeviceDetector(user_agent).parse().is_bot())


def make_isbot(user_agents: Iterable[str], packages: Path) -> Says | None:
    """Run isbot once, for these user agents. Without Node or the package, return `None`."""
    names = list(dict.fromkeys(user_agents))
    try:
        if not (packages / "node_modules/isbot").exists():
            command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "isbot@5"]
            subprocess.run(command, cwd=packages, check=True, capture_output=True, timeout=600)
        said = subprocess.check_output(["node", "-e", _ISBOT], cwd=packages, input=json.dumps(names), text=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(zip(names, json.loads(said), strict=True)).__getitem__
