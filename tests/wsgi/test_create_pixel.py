"""`POST /api/v1/pixels`, and the images it takes."""

import io
import re

import PIL.Image
import pytest

from mailtrack._images.check import MAX_BYTES

each_storage = pytest.mark.each_storage

FORMATS = [
    pytest.param("PNG", "image/png", "png", id="png"),
    pytest.param("JPEG", "image/jpeg", "jpg", id="jpg"),
    pytest.param("GIF", "image/gif", "gif", id="gif"),
    pytest.param("WEBP", "image/webp", "webp", id="webp"),
]


@each_storage
def test_the_answer_has_the_documented_fields_and_values(client):
    answer = client.post("/api/v1/pixels", json={"name": "My Campaign Pixel"})
    short_id = answer.json["id"][:8]
    documented = {name: answer.json[name] for name in ("name", "createdAt", "imagePath", "trackingUrl", "logsUrl")}
    assert answer.status == 201
    assert documented == {
        "name": "My Campaign Pixel",
        "createdAt": "2025-11-06T12:00:00.000Z",
        "imagePath": None,
        "trackingUrl": f"http://mail.example.com/track/tracker/{short_id}.png",
        "logsUrl": f"http://mail.example.com/track/logs/{short_id}",
    }


@each_storage
def test_the_id_is_a_uuid_in_lower_case(client):
    answer = client.post("/api/v1/pixels", json={"name": "Spring"})
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", answer.json["id"])


@each_storage
def test_the_pixel_is_stored_as_answered(client, tracker):
    answer = client.post("/api/v1/pixels", json={"name": "Spring"})
    (stored,) = tracker.iter_pixels()
    assert (stored.id, stored.name, stored.image) == (answer.json["id"], "Spring", None)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
def test_json_is_taken_with_and_without_its_charset(client, content_type):
    answer = client.post("/api/v1/pixels", data=b'{"name": "Gr\xc3\xbc\xc3\x9fe"}', content_type=content_type)
    assert (answer.status, answer.json["name"]) == (201, "Grüße")


@each_storage
@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_form_creates_a_pixel_as_json_does(client, content_type):
    answer = client.post("/api/v1/pixels", data={"name": "Grüße & Co"}, content_type=content_type)
    assert (answer.status, answer.json["name"], answer.json["imagePath"]) == (201, "Grüße & Co", None)


def test_fields_that_nobody_asked_for_are_passed_over(client):
    assert client.post("/api/v1/pixels", json={"name": "Spring", "id": "a1b2c3d4", "x": [1]}).status == 201


@each_storage
@pytest.mark.parametrize("name", ["a", "a" * 256, "ü" * 256, "😀" * 256, "Spring\u00a0launch", "  Spring  ", "<b>"])
def test_a_name_has_1_to_256_characters(client, name):
    answer = client.post("/api/v1/pixels", json={"name": name})
    assert (answer.status, answer.json["name"]) == (201, name.strip())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"json": {}}, id="missing"),
        pytest.param({"json": {"name": ""}}, id="empty"),
        pytest.param({"json": {"name": " \t\u3000\n"}}, id="blank"),
        pytest.param({"json": {"name": None}}, id="null"),
        pytest.param({"json": {"Name": "Spring"}}, id="of another case"),
        pytest.param({"data": {"title": "Spring"}}, id="missing in a form"),
        pytest.param({"data": {"name": " "}, "content_type": "multipart/form-data"}, id="blank in a multipart form"),
    ],
)
def test_a_name_is_required(client, contents, body):
    answer = client.post("/api/v1/pixels", **body)
    assert (answer.status, answer.json) == (400, {"error": "Pixel name is required."})
    assert contents() == []


def upload(client, data, *, file_name="picture.png", content_type="image/png"):
    return client.post("/api/v1/pixels", data={"name": "Spring", "image": (io.BytesIO(data), file_name, content_type)})


@each_storage
@pytest.mark.parametrize(("format_", "media_type", "extension"), FORMATS)
def test_an_image_is_served_as_written_with_its_own_media_type(client, make_picture, format_, media_type, extension):
    answer = upload(client, make_picture(format_), content_type=media_type)
    served = client.get(answer.json["imagePath"])
    assert answer.json["imagePath"] == f"/uploads/{answer.json['id']}.{extension}"
    assert (served.status, served.headers["Content-Type"]) == (200, media_type)
    with PIL.Image.open(io.BytesIO(served.data)) as picture:
        assert (picture.format, picture.size) == (format_, (3, 2))


@each_storage
@pytest.mark.parametrize(("format_", "media_type", "_"), FORMATS)
def test_the_tracker_shows_the_pixels_own_image(client, make_picture, format_, media_type, _):
    created = upload(client, make_picture(format_))
    shown = client.get(f"/tracker/{created.json['id'][:8]}.png")
    assert (shown.status, shown.headers["Content-Type"]) == (200, media_type)
    assert shown.data == client.get(created.json["imagePath"]).data


def test_the_content_of_an_image_decides_not_its_name_or_declared_type(client, make_picture):
    answer = upload(client, make_picture("PNG"), file_name="x.gif", content_type="image/jpeg")
    assert client.get(answer.json["imagePath"]).headers["Content-Type"] == "image/png"


def test_an_image_of_5_mb_is_taken(client, make_picture):
    data = make_picture("JPEG")
    answer = upload(client, data + bytes(MAX_BYTES - len(data)))
    assert answer.status == 201


@each_storage
def test_a_form_whose_file_field_was_left_empty_makes_a_transparent_pixel(client):
    answer = upload(client, b"", file_name="", content_type="application/octet-stream")
    assert (answer.status, answer.json["imagePath"]) == (201, None)


def test_a_served_image_can_do_nothing_but_be_shown(client, make_picture):
    created = upload(client, make_picture())
    headers = client.get(created.json["imagePath"]).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@each_storage
@pytest.mark.parametrize("name", ["{id}.jpg", "{id}", "{id}.png.png", "{id}.PNG", "../{id}.png", "x.png"])
def test_an_image_has_no_other_name(client, make_picture, name):
    created = upload(client, make_picture()).json["id"]
    answer = client.get("/uploads/" + name.format(id=created))
    assert (answer.status, answer.is_page) == (404, True)


@each_storage
def test_the_page_with_the_form_creates_a_pixel_and_leads_to_its_recipients(client, tracker):
    answer = client.post("/pixels", data={"name": "Spring"}, content_type="multipart/form-data")
    (stored,) = tracker.iter_pixels()
    assert (answer.status, answer.headers["Location"]) == (303, f"/track/pixels/{stored.short_id}/recipients")


def test_the_page_with_the_form_shows_what_is_wrong(client, contents):
    answer = client.post("/pixels", data={"name": " "}, content_type="multipart/form-data")
    assert (answer.status, answer.is_page) == (400, True)
    assert "Pixel name is required." in answer.text
    assert contents() == []


def test_a_good_name_stays_in_the_form_where_the_image_is_refused(client, take_apart, contents):
    data = {"name": "Spring <launch>", "image": (io.BytesIO(b"no image"), "x.png")}
    answer = client.post("/pixels", data=data, content_type="multipart/form-data")
    assert (answer.status, contents()) == (400, [])
    page = take_apart(answer)
    assert "The image must be a JPG, PNG, GIF or WebP file." in page.text
    assert [field["value"] for field in page.fields("name")] == ["Spring <launch>"]


@each_storage
def test_the_dashboard_lists_the_pixels(client):
    client.post("/api/v1/pixels", json={"name": "Spring <1>"})
    answer = client.get("/")
    assert (answer.status, answer.is_page) == (200, True)
    assert "Spring &lt;1&gt;</a>" in answer.text
