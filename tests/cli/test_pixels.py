"""`mailtrack pixels`."""

import json

import PIL.Image
import pytest

UNKNOWN = ["00000000", "00000000-0000-4000-8000-000000000000", "x", "../../etc/passwd", "a" * 10_240]


def fields(text):
    """What `show` prints, by label."""
    return {label: value.strip() for label, value in (line.split(":", 1) for line in text.splitlines())}


def test_create_stores_a_pixel_and_shows_it(run, tracker):
    shown = fields(run("pixels", "create", "Spring launch").stdout)
    (stored,) = tracker.iter_pixels()
    assert shown == {
        "Name": "Spring launch",
        "ID": stored.id,
        "Created": shown["Created"],
        "Archived": "no",
        "Tracking URL": f"http://127.0.0.1:8000/tracker/{stored.short_id}.png",
        "Logs": f"http://127.0.0.1:8000/logs/{stored.short_id}",
        "Image": "transparent",
        "Recipients": "0",
        "Opens": "0",
        "First open": "none",
        "Last open": "none",
    }


def test_create_prints_json_as_the_api_answers(run, tracker):
    lines = run("pixels", "create", "Grüße", "--json").stdout.splitlines()
    (stored,) = tracker.iter_pixels()
    shown = json.loads(lines[0])
    assert len(lines) == 1
    assert (shown["id"], shown["name"], shown["imagePath"]) == (stored.id, "Grüße", None)


def test_create_takes_an_image(run, tracker):
    PIL.Image.new("RGB", (3, 2)).save("picture.gif")
    shown = json.loads(run("pixels", "create", "Spring", "--image", "picture.gif", "--json").stdout)
    (stored,) = tracker.iter_pixels()
    assert shown["imagePath"] == f"/uploads/{stored.image}"
    assert tracker.get_image(stored.image).media_type == "image/gif"


@pytest.mark.parametrize("name", ["", " \t", "a" * 257, "Spr\x1bing"])
def test_create_refuses_a_bad_name(run, tracker, name):
    result = run("pixels", "create", name, exits=1)
    assert (result.stdout, result.stderr.startswith("Error: Pixel name ")) == ("", True)
    assert list(tracker.iter_pixels()) == []


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n"], ids=["empty", "SVG", "damaged"])
def test_create_refuses_a_bad_image(run, tracker, tmp_path, data):
    (tmp_path / "picture.png").write_bytes(data)
    result = run("pixels", "create", "Spring", "--image", "picture.png", exits=1)
    assert result.stderr.startswith("Error: The image ")
    assert list(tracker.iter_pixels()) == []


@pytest.mark.parametrize("way", ["option", "environment", "host and port"])
def test_urls_are_made_from_the_settings(run, way):
    base = "https://mail.example.com/track"
    if way == "option":
        result = run("pixels", "create", "Spring", "--json", "--base-url", base)
    elif way == "environment":
        result = run("pixels", "create", "Spring", "--json", environment={"MAILTRACK_BASE_URL": f"{base}/"})
    else:
        base = "http://192.0.2.1:8080"
        environment = {"MAILTRACK_HOST": "192.0.2.1", "MAILTRACK_PORT": "8080"}
        result = run("pixels", "create", "Spring", "--json", environment=environment)
    assert json.loads(result.stdout)["logsUrl"].startswith(f"{base}/logs/")


@pytest.mark.usefixtures("tracker")
def test_list_without_pixels_prints_the_heads(run):
    assert run("pixels", "list").stdout.split() == ["ID", "CREATED", "RECIPIENTS", "OPENS", "NAME"]


def test_list_prints_the_newest_first_with_their_counts(run, tracker, pixel, recipient):
    tracker.record(pixel.id, token=recipient.token)
    newest = tracker.create_pixel("Autumn")
    rows = [line.split(maxsplit=4) for line in run("pixels", "list").stdout.splitlines()[1:]]
    assert [[row[0], *row[2:]] for row in rows] == [
        [newest.short_id, "0", "0", "Autumn"],
        [pixel.short_id, "1", "1", "Spring launch"],
    ]


def test_list_prints_json_one_pixel_a_line(run, tracker, pixel):
    newest = tracker.create_pixel("Autumn")
    lines = run("pixels", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [newest.id, pixel.id]


def test_list_prints_all_pixels(run, tracker):
    for number in range(1001):  # one more than a page of a list has
        tracker.create_pixel(f"#{number}")
    assert len(run("pixels", "list", "--json").stdout.splitlines()) == 1001


def test_list_can_be_printed_in_parts(run, tracker):
    for number in range(3):
        tracker.create_pixel(f"#{number}")
    first = run("pixels", "list", "--json", "--limit", 2)
    hint, cursor = first.stderr.splitlines()[-1].rsplit(maxsplit=1)
    rest = run("pixels", "list", "--json", "--cursor", cursor)
    assert hint == "There is more: --cursor"
    assert first.stdout + rest.stdout == run("pixels", "list", "--json").stdout


@pytest.mark.parametrize("key", ["{0.id}", "{0.short_id}"])
@pytest.mark.parametrize("change", [str, str.upper])
def test_show_knows_a_pixel_by_its_uuid_and_its_short_id_in_either_case(run, pixel, key, change):
    shown = fields(run("pixels", "show", change(key.format(pixel))).stdout)
    assert shown["ID"] == pixel.id


def test_show_prints_the_span_of_the_opens(run, tracker, pixel):
    tracker.record(pixel.id)
    shown = fields(run("pixels", "show", pixel.id).stdout)
    assert shown["Opens"] == "1"
    assert shown["First open"] == shown["Last open"] != "none"


def test_show_prints_json(run, pixel):
    shown = json.loads(run("pixels", "show", pixel.id, "--json").stdout)
    assert (shown["id"], shown["opens"]) == (pixel.id, {"number": 0, "first": None, "last": None})


@pytest.mark.usefixtures("tracker")
@pytest.mark.parametrize("key", UNKNOWN)
@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["archive"], ["delete"], ["delete", "--yes"]])
def test_an_unknown_pixel_is_not_found(run, key, arguments):
    result = run("pixels", *arguments, key, exits=1)
    assert (result.stdout, result.stderr) == ("", "Error: Pixel not found\n")


@pytest.mark.parametrize("answer", ["y", "yes", "Y"])
def test_delete_asks_and_deletes(run, tracker, pixel, recipient, answer):
    tracker.record(pixel.id, token=recipient.token)
    result = run("pixels", "delete", pixel.short_id, stdin=f"{answer}\n")
    assert "Delete 'Spring launch' with 1 open and 1 recipient for good?" in result.output
    assert result.stderr.endswith(f"Deleted {pixel.id}.\n")
    assert list(tracker.iter_pixels()) == []


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "nothing", "end of input"])
def test_delete_leaves_the_pixel_where_it_is_not_confirmed(run, tracker, pixel, answer):
    result = run("pixels", "delete", pixel.id, stdin=answer, exits=1)
    assert "Aborted!" in result.stderr
    assert [left.id for left in tracker.iter_pixels()] == [pixel.id]


def test_delete_does_not_ask_where_it_is_told_yes(run, tracker, pixel):
    result = run("pixels", "delete", pixel.id, "--yes")
    assert result.output == f"Deleted {pixel.id}.\n"
    assert list(tracker.iter_pixels()) == []


def test_rename_gives_another_name_and_shows_the_pixel(run, tracker, pixel):
    shown = fields(run("pixels", "rename", pixel.short_id, "Autumn").stdout)
    assert (shown["ID"], shown["Name"], tracker.get_pixel(pixel).name) == (pixel.id, "Autumn", "Autumn")


@pytest.mark.parametrize("name", ["", " \t", "a" * 257, "Spr\x1bing"])
def test_rename_refuses_a_bad_name(run, tracker, pixel, name):
    result = run("pixels", "rename", pixel.id, name, exits=1)
    assert (result.stdout, result.stderr.startswith("Error: Pixel name ")) == ("", True)
    assert tracker.get_pixel(pixel).name == "Spring launch"


@pytest.mark.usefixtures("tracker")
def test_rename_does_not_know_another_pixel(run):
    assert run("pixels", "rename", "00000000", "Autumn", exits=1).stderr == "Error: Pixel not found\n"


def test_archive_takes_a_pixel_out_of_the_list_and_undo_brings_it_back(run, tracker, pixel):
    other = tracker.create_pixel("Autumn")

    def listed(*options):
        return [json.loads(line)["id"] for line in run("pixels", "list", "--json", *options).stdout.splitlines()]

    assert json.loads(run("pixels", "archive", pixel.short_id, "--json").stdout)["archived"] is True
    assert (listed(), listed("--archived")) == ([other.id], [pixel.id])
    assert fields(run("pixels", "archive", pixel.id, "--undo").stdout)["Archived"] == "no"
    assert (listed(), listed("--archived")) == ([other.id, pixel.id], [])
