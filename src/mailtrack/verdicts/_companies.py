"""`is_company`: whether the recipients of a domain belong together."""

from functools import cache


def is_company(domain: str) -> bool:
    """Return whether a domain, in lower case, is not that of a public mail provider. Thread-safe."""
    public = _public_domains()
    return domain not in public and f"{domain.partition('.')[0]}.*" not in public


@cache
def _public_domains() -> frozenset[str]:
    from importlib.resources import files  # rarely needed, and slow to load

    lines = (files("mailtrack.verdicts") / "free_mail.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
