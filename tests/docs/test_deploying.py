"""The files in `examples/deploy` fit the program as it is now, and what reads them accepts them."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from mailtrack.cli import main
from mailtrack.cli._settings import ENVIRONMENT_PREFIX, Settings

FOLDER = Path(__file__).parents[2] / "examples" / "deploy"
DOCKERFILE, UNIT, README, ENVIRONMENT = (
    (FOLDER / name).read_text(encoding="utf-8")
    for name in ("Dockerfile", "mailtrack.service", "README.md", "mailtrack.env")
)
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
WAIT = FOLDER / "wait_until_ready.py"


def in_dockerfile(instruction):
    """The last instruction of a name, as the list of its words."""
    return json.loads(re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])


def in_unit(key):
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def in_readme(prefix):
    """What follows a command that runs mailtrack, in the README."""
    return re.findall(rf"^    {prefix} (.+)$", README.replace("\\\n", ""), re.MULTILINE)


COMMAND_LINES = [
    shlex.join(in_dockerfile("CMD")),
    shlex.join(COMPOSE["services"]["mailtrack"]["command"]),
    *(line.removeprefix("/opt/mailtrack/bin/mailtrack ") for line in in_unit("ExecStart")),
    *in_readme(r"docker run .* mailtrack(?= serve| keys)"),
    *in_readme("docker compose run --rm mailtrack"),
    *in_readme("docker exec mailtrack mailtrack"),
    *in_readme("sudo -u mailtrack /opt/mailtrack/bin/mailtrack"),
]


@pytest.fixture
def parse(monkeypatch):
    """Parses the arguments of the program, runs nothing, and returns the exit code."""

    def replace(command):
        for child in getattr(command, "commands", {}).values():
            replace(child)
        if not isinstance(command, click.Group):
            monkeypatch.setattr(command, "callback", lambda **_: None)

    replace(main)
    return lambda line: CliRunner().invoke(main, shlex.split(line)).exit_code


class TestCommandLines:
    def test_all_are_found(self):
        assert len(COMMAND_LINES) == 8

    @pytest.mark.parametrize("line", sorted(set(COMMAND_LINES)))
    def test_each_is_one_of_the_program(self, parse, line):
        assert parse(line) == 0

    @pytest.mark.parametrize("line", ["serve --prot 8000", "server", "keys make"])
    def test_a_wrong_one_would_be_found(self, parse, line):
        assert parse(line) == 2


class TestSettings:
    @pytest.mark.parametrize(
        "text", [DOCKERFILE, UNIT, re.sub("^# (?=MAILTRACK_)", "", ENVIRONMENT, flags=re.MULTILINE)]
    )
    def test_each_variable_is_a_setting_with_a_valid_value(self, text):
        given = dict(re.findall(rf"\b({ENVIRONMENT_PREFIX}[A-Z_]+)=(\S+)", text))
        settings = Settings.resolve({}, given)
        assert given
        for name, value in given.items():
            assert str(getattr(settings, name.removeprefix(ENVIRONMENT_PREFIX).lower())) == value


class TestContainer:
    def test_it_runs_as_an_unprivileged_user(self):
        assert int(re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)[-1]) > 0

    def test_signals_reach_the_server_without_a_shell_between(self):
        assert in_dockerfile("ENTRYPOINT") == ["mailtrack"]
        assert "STOPSIGNAL SIGTERM" in DOCKERFILE

    def test_the_health_check_is_the_script_of_the_image(self):
        command = in_dockerfile(r"HEALTHCHECK .* CMD")
        assert command[:2] == ["python3", f"/opt/mailtrack/{WAIT.name}"]
        assert f"examples/deploy/{WAIT.name} /opt/mailtrack/" in DOCKERFILE

    def test_compose_makes_the_root_read_only_and_publishes_to_this_machine_only(self):
        service = COMPOSE["services"]["mailtrack"]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).samefile(FOLDER / "Dockerfile")

    def test_each_volume_of_compose_is_declared(self):
        used = [one for service in COMPOSE["services"].values() for one in service.get("volumes", [])]
        assert {one.partition(":")[0] for one in used} == set(COMPOSE["volumes"])


class TestUnit:
    @pytest.fixture
    def unit(self, tmp_path):
        """The unit as if it were installed in a folder."""
        (tmp_path / "opt" / "bin").mkdir(parents=True)
        for name in ("bin/mailtrack", "bin/python3", WAIT.name):
            (tmp_path / "opt" / name).symlink_to(sys.executable)
        unit = tmp_path / "mailtrack.service"
        unit.write_text(UNIT.replace("/opt/mailtrack", str(tmp_path / "opt")), encoding="utf-8")
        return unit

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
    @pytest.mark.parametrize(
        "question", [["verify"], ["security", "--offline=true", "--threshold=20"]], ids=["verify", "security"]
    )
    def test_systemd_accepts_it(self, unit, question):
        done = subprocess.run(
            ["systemd-analyze", *question, unit], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr or done.stdout
        assert "mailtrack.service" not in done.stderr

    def test_the_readme_installs_what_it_runs(self):
        assert f"install -m 0755 examples/deploy/{WAIT.name} /opt/mailtrack/" in README
        assert all(f"/opt/mailtrack/{WAIT.name}" in line for line in in_unit("ExecStartPost"))


class TestWaiting:
    @pytest.fixture
    def port(self):
        with socket.create_server(("127.0.0.1", 0)) as found:
            return str(found.getsockname()[1])

    def wait(self, port, seconds):
        environment = os.environ | {"MAILTRACK_PORT": port}
        command = [sys.executable, "-W", "error", WAIT, "--seconds", seconds]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def test_it_succeeds_once_the_server_answers(self, tmp_path, port):
        command = [sys.executable, "-m", "mailtrack", "serve", "--port", port]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
            try:
                done = self.wait(port, "30")
            finally:
                server.terminate()
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_fails_with_a_reason_where_none_does(self, port):
        done = self.wait(port, "0")
        assert done.returncode == 1
        assert done.stderr.startswith(f"http://127.0.0.1:{port}/healthz: ")
