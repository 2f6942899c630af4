"""The figures of a rate in words: a name and a sentence each, for the pages, the API reference and the commands."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mailtrack.report import Rate

MEANINGS: Mapping[str, str] = {
    "counted": "Recipients with an open that counts, as a share of all recipients.",
    "raw": "Recipients whose image was fetched at all, machines included, as a share of all recipients.",
    "measurable": "Recipients with an open that counts, as a share of those who can be measured: all but the ones whose"
    " image was only prefetched.",
    "bounds": "The true rate lies between these, if the verdicts are right: the lower counts none of the recipients"
    " whose image was only prefetched, the upper counts all of them.",
}
"""What each figure is; `bounds` is for `lower` and `upper`."""

NOT_KNOWN = "not known"
"""Shown in place of a share of nothing."""


class RateFigure(NamedTuple):
    """A figure of a rate: its name, its value and what it is."""

    name: str
    value: str
    meaning: str


def rate_figures(rate: Rate, to_text: Callable[[float | None], str]) -> list[RateFigure]:
    """Return the figures of a rate, with shares written by a function."""
    lower, upper = to_text(rate.lower), to_text(rate.upper)
    return [
        RateFigure("Counted", to_text(rate.counted), MEANINGS["counted"]),
        RateFigure("Raw", to_text(rate.raw), MEANINGS["raw"]),
        RateFigure("Measurable", to_text(rate.measurable), MEANINGS["measurable"]),
        RateFigure("True rate", lower if lower == upper else f"{lower} to {upper}", MEANINGS["bounds"]),
    ]
