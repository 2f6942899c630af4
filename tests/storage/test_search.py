"""A search for pixels ends each page after so many that it has looked at."""

import pytest

from mailtrack import open_storage
from mailtrack.testing import make_pixel


@pytest.mark.parametrize("wanted", [0, 1, 4, 5, 6, 9, 10, 11])
@pytest.mark.parametrize(
    ("url", "module"),
    [
        ("memory://", "mailtrack.storage._memory.pixel_lists"),
        ("sqlite:///{}/mail.db", "mailtrack.storage._sqlite.pixel_pages"),
    ],
)
def test_every_page_looks_at_five_pixels_and_leads_on(tmp_path, monkeypatch, url, module, wanted) -> None:
    monkeypatch.setattr(f"{module}.SEARCHED_AT_ONCE", 5)
    with open_storage(url.format(tmp_path)) as storage:
        for number in range(12):
            storage.add_pixel(make_pixel("wanted" if number == wanted else f"other {number}"))
        pages, cursor = [], None
        while True:
            page = storage.list_pixels(limit=2, cursor=cursor, search="wanted")
            pages.append([one.name for one in page.items])
            if (cursor := page.next) is None:
                break
        assert pages == [["wanted"] if (11 - wanted) // 5 == number else [] for number in range(3)]
