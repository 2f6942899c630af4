"""The recipes of docs/frameworks.md: mounted in Pyramid, Bottle and plain WSGI; and the global for Jinja."""

import io
import re
from pathlib import Path

import flask
import jinja2
import PIL.Image
import pytest
from werkzeug.test import Client

from mailtrack import Tracker, open_storage
from mailtrack_wsgi.flask import Mailtrack
from mailtrack_wsgi.jinja import pixel_global

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^## (Pyramid|Bottle|Plain WSGI)\n.*?^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
BASE = "https://example.org/track"


@pytest.fixture
def tracker():
    with open_storage("memory://") as storage:
        yield Tracker(storage, base_url=BASE)


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring")


@pytest.fixture
def ann(tracker, pixel):
    return tracker.generate_tokens(pixel, ["ann@example.org"])[0]


@pytest.fixture
def render(tracker):
    """Renders a template that escapes what is not HTML."""
    environment = jinja2.Environment(autoescape=True)
    environment.globals["mailtrack_pixel"] = pixel_global(tracker)
    return lambda text, **values: environment.from_string(text).render(values)


class TestRecipes:
    # Pyramid loads all of them: WebOb, which uses the first until Python 3.12, setuptools, and PasteDeploy.
    @pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")
    @pytest.mark.filterwarnings("ignore:pkg_resources is deprecated:UserWarning")
    @pytest.mark.filterwarnings("ignore:Deprecated call to `pkg_resources.declare_namespace:DeprecationWarning")
    @pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in RECIPES])
    def test_it_is_mounted_below_the_path_beside_the_application(self, code):
        recipe = {}
        exec(code.replace("sqlite:///campaigns.db", "memory://"), recipe)
        client, tracker = Client(recipe["application"]), recipe["tracker"]
        made = client.post("/track/api/v1/pixels", json={"name": "Spring"}).json
        image = client.get(f"/track/tracker/{made['id'][:8]}.png")
        assert (image.status_code, image.mimetype) == (200, "image/png")
        assert len(tracker.list_opens(made["id"]).items) == 1
        assert 'action="/track/pixels' in client.get("/track/").text
        assert client.get("/elsewhere").headers.get("Content-Security-Policy") is None

    def test_each_framework_has_one(self):
        assert [name for name, _ in RECIPES] == ["Pyramid", "Bottle", "Plain WSGI"]


class TestJinja:
    def test_the_program_of_the_page_runs(self):
        (code,) = re.findall(r"^## Jinja\n.*?^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
        exec(code, {})

    def test_it_is_the_tag_with_the_recipients_token(self, render, pixel, ann):
        url = f"{BASE}/tracker/{pixel.short_id}.png?token={ann.token}"
        tag = f'<img src="{url}" width="1" height="1" border="0" alt="">'
        assert render("<p>{{ mailtrack_pixel(recipient) }}", recipient=ann) == f"<p>{tag}"

    @pytest.mark.parametrize("of", [lambda pixel: pixel, lambda pixel: pixel.id, lambda pixel: pixel.short_id])
    def test_without_a_recipient_it_is_that_of_the_pixel(self, render, pixel, of):
        found = render("{{ mailtrack_pixel(pixel=pixel) }}", pixel=of(pixel))
        assert f'src="{BASE}/tracker/{pixel.short_id}.png"' in found

    def test_it_has_the_size_of_the_pixels_own_image(self, render, tracker):
        file = io.BytesIO()
        PIL.Image.new("RGB", (3, 2)).save(file, "PNG")
        pictured = tracker.create_pixel("With a logo", image=file.getvalue())
        assert 'width="3" height="2"' in render("{{ mailtrack_pixel(pixel=pixel) }}", pixel=pictured)

    @pytest.mark.parametrize(
        "call",
        [
            "mailtrack_pixel()",
            "mailtrack_pixel(missing)",
            "mailtrack_pixel('ann@example.org')",
            "mailtrack_pixel(pixel='00000000')",
        ],
    )
    def test_what_can_t_be_made_is_logged_and_left_out(self, render, caplog, call):
        assert render(f"<p>{{{{ {call} }}}}</p>") == "<p></p>"
        assert "can't be made" in caplog.text

    def test_a_mail_is_rendered_while_the_storage_is_closed(self, caplog):
        with open_storage("memory://") as storage:
            tracker = Tracker(storage, base_url=BASE)
            (ann,) = tracker.generate_tokens(tracker.create_pixel("Spring"), ["ann@example.org"])
        assert pixel_global(tracker)(ann) == ""
        assert "The storage is closed" in caplog.text

    def test_a_flask_application_has_it(self, tracker, ann):
        app = flask.Flask("shop")
        Mailtrack(app, tracker)
        with app.app_context():
            assert ann.token in flask.render_template_string("{{ mailtrack_pixel(recipient) }}", recipient=ann)
