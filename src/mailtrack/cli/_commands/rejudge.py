"""`mailtrack rejudge`."""

from typing import Any

import click

from mailtrack._text import plural
from mailtrack.cli._open_tracker import open_tracker
from mailtrack.cli._options import database_option, example, judge_options
from mailtrack.cli._output import echo, progress


@click.command(epilog=example("mailtrack rejudge", "mailtrack rejudge a1b2c3d4 --window 5"))
@click.argument("pixels", nargs=-1, metavar="[PIXEL]...")
@judge_options
@database_option
def rejudge(pixels: tuple[str, ...], **given: Any) -> None:
    """Judge the opens of each PIXEL, or of all, again by the current rules, and correct the counts."""
    with open_tracker(with_judge=True, **given) as tracker:
        found = [tracker.get_pixel(pixel) for pixel in pixels] if pixels else list(tracker.iter_pixels())
        opens = changed = 0
        with progress("Judging opens again", sum(pixel.kept for pixel in found)) as bar:
            for pixel in found:
                before = 0
                for state in tracker.rejudge(pixel.id):
                    bar.update(state.opens - before)
                    before = state.opens
                opens += state.opens
                changed += state.changed
        echo(f"Judged {plural(opens, 'open')} again. Verdicts that changed: {changed:,}.", err=True)
