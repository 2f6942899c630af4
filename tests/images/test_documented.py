"""The limits are documented."""

from pathlib import Path

import pytest

import mailtrack_wsgi
from mailtrack._images.check import check_upload
from mailtrack._images.strip import common, jpeg, webp
from mailtrack_wsgi._openapi.schemas import SCHEMAS

_DOCS = Path(__file__).parents[2] / "docs"
_MOST, _HELD = f"{common.MAX_PIXELS / 1e6:g} megapixels", f"{common.MAX_BUFFERED_PIXELS / 1e6:g}"


def _texts() -> dict[str, str]:
    template = Path(mailtrack_wsgi.__file__).with_name("_html") / "templates" / "dashboard.html"
    return {
        "page": template.read_text(encoding="utf-8"),
        "API document": str(SCHEMAS["NewPixelWithImage"]),
        "docs": (_DOCS / "api.md").read_text(encoding="utf-8"),
        "docstring": str(check_upload.__doc__),
    }


@pytest.mark.parametrize("place", _texts())
def test_the_largest_sizes_are_documented(place: str) -> None:
    text = _texts()[place]
    assert _MOST in text
    assert _HELD in text


def test_all_limits_are_in_the_docs() -> None:
    text = _texts()["docs"]
    sizes = (webp.MAX_ROTATED_PIXELS, jpeg.MAX_REENCODED_PIXELS, common.MAX_BUFFERED_PIXELS * 2)
    assert all(f"{size / 1e6:g}" in text for size in sizes)
    assert f"{common.MAX_FRAMES:,} frames" in text
    assert f"{jpeg.MAX_SCANS} scans" in text
