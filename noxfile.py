"""One command per question: `nox -s NAME`; `nox` alone runs what a change must pass, on the Python that runs nox."""

import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from functools import reduce
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.tags = ["quick"]  # `.ci/run` runs these and those tagged `long`, in the order of this file

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
OTHER_PYTHONS = [version for version in PYTHONS if version != "{}.{}".format(*sys.version_info)]
# In CI each Python has a part that uses all of mailtrack: the oldest, which runs nox there, the session `tests`.
MIDDLE_PYTHONS, NEWEST_PYTHON = PYTHONS[1:-1], PYTHONS[-1]
GROUPS = sorted(PROJECT["dependency-groups"])

# The most names that users can reach: behind the doors of the first releases, and behind each that was added later.
# Tests of the suite, and methods such as `__eq__`, are left out.
MOST_REACHABLE = {
    "": 490,  # 450 before the feed of events, which has 21, and the webhooks, with 14 outside their door
    "mailtrack.mail": 5,
    "mailtrack.webhooks": 60,
    "mailtrack_wsgi.asgi": 5,
    "mailtrack_wsgi.django": 25,
    "mailtrack_wsgi.flask": 5,
}
POSTGRES_SUITE = "tests/storage/postgres/test_contract.py"
# Tests with many processes, rounds or steps. They take minutes of two processors, so `servers` alone runs them.
LONG = [
    "tests/test_copied_places.py",
    "tests/test_import_is_light.py",
    "tests/test_layers.py",
    "tests/events/test_processes.py",
    "tests/events/webhooks/test_kill.py",
    *(
        f"tests/storage/postgres/test_{name}.py"
        for name in ("concurrency", "contract", "faults", "months", "plans", "replica", "side_by_side")
    ),
    *(f"tests/cli/test_{name}.py" for name in ("copy_kills", "demo", "failures", "follow", "pipes")),
    "tests/rate_limit/test_processes.py",
    "tests/spool/test_faults.py",
    *(
        f"tests/storage/test_sqlite_{name}.py"
        for name in ("costs", "exit", "faults", "feed", "migrations", "replaced", "sweeping", "webhooks")
    ),
]
OWN = ["tests/browser", "tests/crash", "tests/docs", "tests/fuzz", "tests/server"]  # each has a session
QUICK = [f"--ignore={name}" for name in (*OWN, *LONG)]
ALL_STORAGES = {"MAILTRACK_STORAGES": "memory sqlite postgresql"}  # behind the application
# Unset: what these are for takes long.
SHORT = dict.fromkeys(["MAILTRACK_CRASH_ROUNDS", "MAILTRACK_API_CASES", "MAILTRACK_STORAGES"])
# Where pyright lists members that count for a door: those of its classes, and what a storage has for it.
DEFINED_IN = {
    "mailtrack._webhook.": "mailtrack.webhooks.",
    "mailtrack.storage._abilities.SupportsWebhooks.": "mailtrack.webhooks.",
}
MEMBERS = ("constant", "method", "property", "variable")  # as pyright names them


def install(
    session: nox.Session, *groups: str, project: str | None = ".[asgi,flask,mmdb,postgres,server,testing]"
) -> None:
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    # To compile all that is installed takes a quarter of the time, and most of it is never used.
    session.install("--quiet", "--no-compile", *requirements, *([project] if project else []))


@nox.session(tags=["quick"])
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    install(session, "lint", project=None)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(tags=["quick"])
def typing(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, "typing")
    session.run("mypy")


@nox.session(tags=["quick"])
def imports(session: nox.Session) -> None:
    """Check that imports go only where the design lets them."""
    install(session, "imports", project=None)  # modules are read, not run
    session.run("lint-imports", env={"PYTHONPATH": "src"})


@nox.session(tags=["quick"])
def tests(session: nox.Session) -> None:
    """Run all tests but those that take long, or have a session of their own."""
    run_tests(session, *QUICK)


def run_tests(session: nox.Session, *options: str) -> None:
    install(session, "tests")
    session.run("pytest", "-n", "auto", *(session.posargs or options), env=SHORT)


@nox.session(python=MIDDLE_PYTHONS, tags=["long"])
def servers(session: nox.Session) -> None:
    """Run the tests of servers, over sockets and through signals and faults, and others that take long.

    `crash` and `schemathesis` are among them, with as many rounds and requests as the environment says, else with few.
    """
    install(session, "servers")
    session.run("pytest", "-n", "auto", *(session.posargs or ["tests/server", "tests/crash", *LONG]))
    if not session.posargs:
        session.run("pytest", "-n", "auto", "-k", "postgresql", "tests/wsgi", env=ALL_STORAGES)


@nox.session(tags=["long"])
def doors(session: nox.Session) -> None:
    """Check what users write against the public names, and that these are few and typed completely."""
    install(session, "doors")
    session.run("mypy", "typing_tests")
    session.run("pyright")
    names = [name for package in ("mailtrack", "mailtrack_wsgi") for name in find_reachable(session, package)]
    reachable = Counter(max((door for door in MOST_REACHABLE if name.startswith(door)), key=len) for name in names)
    for door, most in MOST_REACHABLE.items():
        session.log(f"{reachable[door]} names and members can be used of {door or 'all else'}, of at most {most}.")
    if any(reachable[door] > most for door, most in MOST_REACHABLE.items()):
        session.error("Too many names are public.")


def find_reachable(session: nox.Session, package: str) -> list[str]:
    """Return the names and members of a package that users can reach; fail if one is not typed."""
    command = ("pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson")
    report = json.loads(session.run(*command, silent=True, success_codes=[0, 1]))["typeCompleteness"]
    symbols = report["symbols"]
    session.log(f"{package}: {report['completenessScore']:.0%} typed, exports {report['exportedSymbolCounts']}.")
    unknown = [one["name"] for one in symbols if not one["isTypeKnown"] or one["isTypeAmbiguous"]]
    if unknown or not symbols:
        session.error(f"Without a certain type: {', '.join(unknown) or 'all'}")
    own = [one for one in symbols if not one["name"].rpartition(".")[2].startswith(("__", "test_"))]
    # A re-exported class or function is there twice: by its public name, and where it is defined.
    names = [one["name"] for one in own if one["isExported"] or one["category"] in MEMBERS]
    return [reduce(lambda name, place: name.replace(*place), DEFINED_IN.items(), name) for name in names]


@nox.session(requires=["lint"], tags=["long"])
def hooks(session: nox.Session) -> None:
    """Run the hooks of a commit on all files, but for those that are sessions of their own."""
    if not Path(".git").exists():
        session.skip("pre-commit asks git for the list of files, and this is no clone")
    install(session, "hooks", project=None)
    environment = {"SKIP": "typing,imports", "PRE_COMMIT_HOME": session.create_tmp()}
    session.run("pre-commit", "run", "--all-files", env=environment)


@nox.session(tags=["long"])
def build(session: nox.Session) -> None:
    """Build the distributions, and use the wheel as a user would."""
    install(session, "build", project=None)
    dist = session.create_tmp()
    shutil.rmtree(dist)
    session.run("python", "-m", "build", "--outdir", dist, silent=True)
    files = sorted(str(path) for path in Path(dist).iterdir())
    wheel = next(name for name in files if name.endswith(".whl"))
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", wheel)
    session.install("--quiet", f"{wheel}[server]")
    session.run("mailtrack", "--version")
    session.run("python", "examples/mail_merge.py", env={"MAILTRACK_DATABASE": "memory://"}, silent=True)


@nox.session(python=OTHER_PYTHONS)
def other_pythons(session: nox.Session) -> None:
    """Run the tests of `tests` on each other Python that is supported."""
    run_tests(session, *QUICK)


@nox.session(python=NEWEST_PYTHON, tags=["long"])
def coverage(session: nox.Session) -> None:
    """Run the tests of `tests`, and the suite of PostgreSQL, on the newest Python; hold the coverage."""
    install(session, "tests")
    environment = SHORT | {"COVERAGE_FILE": str(Path(session.create_tmp()) / ".coverage")}
    traced = [name for name in QUICK if not name.endswith(POSTGRES_SUITE)]
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", *traced, env=environment)
    session.run("coverage", "combine", "--quiet", env=environment)
    session.run("coverage", "report", env=environment)


@nox.session
def crash(session: nox.Session) -> None:
    """Kill the reference server under load, for MAILTRACK_CRASH_ROUNDS rounds (200)."""
    install(session, "tests")
    rounds = os.environ.get("MAILTRACK_CRASH_ROUNDS", "200")
    session.run("pytest", "tests/crash", *session.posargs, env={"MAILTRACK_CRASH_ROUNDS": rounds})


@nox.session
def schemathesis(session: nox.Session) -> None:
    """Compare the reference server with its OpenAPI document, in MAILTRACK_API_CASES requests (5000)."""
    install(session, "tests")
    cases = os.environ.get("MAILTRACK_API_CASES", "5000")
    unlimited = "--override-ini=faulthandler_timeout=0"  # all these requests are one test
    arguments = ("tests/server/test_schemathesis.py", unlimited, *session.posargs)
    session.run("pytest", *arguments, env={"MAILTRACK_API_CASES": cases})


@nox.session(tags=["long"])
def fuzz(session: nox.Session) -> None:
    """Send unforeseen input, generated by Hypothesis and by atheris, for MAILTRACK_FUZZ_SECONDS (600) each."""
    install(session, "fuzz")
    seconds = int(os.environ.get("MAILTRACK_FUZZ_SECONDS", "600"))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seed = f"--hypothesis-seed={random.randrange(2**32)}"
        session.run("pytest", "--quiet", "tests/fuzz", seed, *session.posargs, env={"HYPOTHESIS_PROFILE": "fuzz"})
    if session.run("python", "-c", "import atheris", success_codes=[0, 1], silent=True) == "":
        session.run("python", "tests/fuzz/cover.py", session.create_tmp(), str(seconds))
    else:
        session.warn("atheris has no wheel for this Python, so only Hypothesis has looked")


@nox.session(tags=["long"])
def browser(session: nox.Session) -> None:
    """Use the pages with the system's Chromium, and check them with axe."""
    install(session, "browser")
    session.run("pytest", "-n", "auto", "tests/browser", *session.posargs)


@nox.session(tags=["long"])
def docs(session: nox.Session) -> None:
    """Build the documentation as a site, run the code in it, and compare what it lists with the code."""
    install(session, "docs")
    temporary = session.create_tmp()
    site, options = f"{temporary}/site", ["--nitpicky", "--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    session.run("sphinx-build", *options, "--conf-dir=docs", f"--doctree-dir={temporary}/doctrees", ".", site)
    session.log(f"The site is in {site}/index.html.")
    session.run("pytest", "-n", "auto", "tests/docs", *session.posargs, env={"MAILTRACK_SITE": site})


@nox.session
def examples(session: nox.Session) -> None:
    """Run the programs in examples as a user would."""
    install(session, "tests")
    session.run("pytest", "tests/docs/test_examples.py", *session.posargs)


@nox.session
def property(session: nox.Session) -> None:
    """Check the laws in tests/property with the examples of the HYPOTHESIS_PROFILE (fuzz, 300 each)."""
    install(session, "tests")
    profile = os.environ.get("HYPOTHESIS_PROFILE", "fuzz")
    session.run("pytest", "-n", "auto", "tests/property", *session.posargs, env={"HYPOTHESIS_PROFILE": profile})


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutate the rooms in tests/mutation/rooms.toml, all or those given, and list the mutants that no test notices."""
    install(session, "mutation")
    session.run("python", "tests/mutation/run.py", session.create_tmp(), *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask the network for known vulnerabilities in the dependencies and in the tools."""
    install(session, "audit", "dev", "browser", "build")
    session.run("pip", "uninstall", "--quiet", "--yes", "mailtrack")  # only its dependencies are asked for
    session.run("pip-audit", "--local", "--strict", "--progress-spinner=off", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what benchmarks/README.md lists."""
    install(session, "bench")
    scripts = ("imports", "tokens", "csv_export", "feed", "log_pages", "pages", "report", "drain", "verdicts", "opens")
    scripts += ("slow_clients", "memory", "new_user_agents", "deletion", "embed", "people", "webhooks")
    for name in scripts:
        session.run("python", f"benchmarks/{name}.py", *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """Write constraints.txt again: the newest releases of all dependencies, for all supported versions of Python."""
    install(session, "constraints", project=None)
    build_requirements = Path(session.create_tmp()) / "build.in"
    build_requirements.write_text("\n".join(PROJECT["build-system"]["requires"]), encoding="utf-8")
    groups = [f"--group={name}" for name in GROUPS]
    # Neither the name of an index nor the path of a file belongs into what is published.
    plain = ["--universal", f"--python-version={PYTHONS[0]}", "--no-header", "--no-annotate", "--upgrade", "--quiet"]
    output = ["--output-file=constraints.txt", "--no-emit-index-url", "--no-emit-find-links"]
    inputs = ["pyproject.toml", str(build_requirements), "benchmarks/peers/requirements.txt"]
    session.run("uv", "pip", "compile", *inputs, "--all-extras", *groups, *plain, *output, silent=True)
