"""Digests of the tokens and ids of erased recipients, by which late hits are known without any of them being kept."""

from hashlib import blake2b


def digest(secret: str) -> int:
    """Return 63 bits of a hash of a token or id, which have 64 random bits at least: no one finds them by trying."""
    return int.from_bytes(blake2b(secret.encode(), digest_size=8).digest(), "big") >> 1
