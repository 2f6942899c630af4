"""`/pixels/<pixel>/settings`: renaming, annotating and archiving a pixel, and the list of archived ones."""

import pytest

each_storage = pytest.mark.each_storage
both_ways = pytest.mark.parametrize("action", ["archive", "unarchive"])


@pytest.fixture
def path(pixel):
    return f"/pixels/{pixel.short_id}/settings"


@each_storage
def test_a_pixel_gets_another_name_and_a_note(client, show, path, pixel, tracker):
    answer = client.post(path, data={"name": "Autumn <news>", "note": "Sent late.\r\n<b>Twice</b>"})
    assert (answer.status, answer.headers["Location"]) == (303, f"/track/logs/{pixel.short_id}")
    changed = tracker.get_pixel(pixel)
    assert (changed.name, changed.note) == ("Autumn <news>", "Sent late.\n<b>Twice</b>")
    page = show(f"/logs/{pixel.short_id}")
    assert "Autumn <news>" in page.text
    assert "Sent late. <b>Twice</b>" in page.text


def test_the_form_has_what_is_stored(client, show, path):
    client.post(path, data={"name": "Autumn", "note": "\nx"})
    page = show(path)
    assert [field["value"] for field in page.fields("name")] == ["Autumn"]
    assert "Note x Shown above" in page.text


def test_what_the_form_does_not_have_stays(client, path, pixel, tracker):
    client.post(path, data={"note": "x"})
    client.post(path, data={"name": "y"})
    assert (tracker.get_pixel(pixel).name, tracker.get_pixel(pixel).note) == ("y", "x")
    client.post(path, data={"note": ""})
    assert tracker.get_pixel(pixel).note == ""


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"name": " ", "note": "kept"}, "Pixel name is required."),
        ({"name": "x" * 257, "note": "kept"}, "256 characters"),
        ({"name": "y", "note": "kept" * 501}, "2,000 characters"),
        ({"name": "y", "note": "kept\x00"}, "control"),
    ],
)
def test_what_can_not_be_stored_is_reported_in_the_form_which_keeps_it(
    client, path, pixel, tracker, take_apart, data, problem
):
    answer = client.post(path, data=data)
    page = take_apart(answer)
    assert (answer.status, problem in page.text, "kept" in page.text) == (400, True, True)
    assert [field["value"] for field in page.fields("name")] == [data["name"]]
    assert tracker.get_pixel(pixel) == pixel


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"{}", "content_type": "application/json"}, 415),
        ({"data": "name=a&name=b", "content_type": "application/x-www-form-urlencoded"}, 400),
        ({"environ": {"CONTENT_LENGTH": "9" * 9}, "data": {"name": "x"}}, 413),
    ],
)
def test_a_form_of_another_shape_is_refused_on_a_page(client, path, pixel, tracker, options, status):
    answer = client.post(path, **options)
    assert (answer.status, answer.is_page) == (status, True)
    assert tracker.get_pixel(pixel) == pixel


@each_storage
def test_an_archived_pixel_leaves_the_list_for_that_of_archived_ones_and_comes_back(client, show, pixel, tracker):
    tracker.create_pixel("Other")
    answer = client.post(f"/pixels/{pixel.short_id}/archive")
    assert (answer.status, answer.headers["Location"]) == (303, f"/track/logs/{pixel.short_id}")
    assert "Archived" in show(f"/logs/{pixel.short_id}").text
    listed = show("/")
    assert [row[0].split()[0] for row in listed.rows[1:]] == ["Other"]
    (link,) = [link for link in listed.links if "archived" in link]
    archived = show(link.removeprefix("/track"))
    assert [row[0].partition(" created")[0] for row in archived.rows[1:]] == ["Spring launch"]
    assert client.post(f"/pixels/{pixel.short_id}/unarchive").status == 303
    assert len(show("/").rows) == 3
    assert "No pixel is archived." in show("/?archived=true").text


def test_with_all_pixels_archived_the_list_still_leads_to_them(client, show, pixel):
    client.post(f"/pixels/{pixel.short_id}/archive")
    assert "/track/?archived=true" in show("/").links


def test_the_search_and_order_of_archived_pixels_stay_among_them(client, show, tracker):
    for name in ("b", "a", "B2"):
        client.post(f"/pixels/{tracker.create_pixel(name).short_id}/archive")
    tracker.create_pixel("b3")
    page = show("/?archived=true&sort=name&search=b")
    assert [row[0].partition(" created")[0] for row in page.rows[1:]] == ["b", "B2"]
    assert [field["value"] for field in page.fields("archived")] == ["true"]


@both_ways
def test_archiving_reads_no_body_and_is_refused_from_another_site(client, pixel, tracker, action):
    tracker.update_pixel(pixel, archived=action == "unarchive")
    before = tracker.get_pixel(pixel)
    answer = client.post(f"/pixels/{pixel.short_id}/{action}", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status, tracker.get_pixel(pixel)) == (403, before)


@pytest.mark.parametrize(
    ("method", "action"), [("GET", "settings"), ("POST", "settings"), ("POST", "archive"), ("POST", "unarchive")]
)
def test_an_unknown_pixel_gets_a_404_page(client, method, action):
    answer = client(method, f"/pixels/00000000/{action}", data={"name": "x"} if method == "POST" else None)
    assert (answer.status, answer.is_page) == (404, True)
