"""All of mailtrack below a path of a Django project, in Django's own test client."""

import io
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import include, path
from PIL import Image

from mailtrack import Pixel, Tracker

API = "/track/api/v1/pixels"


def noise_png() -> bytes:
    """An image of some 3.7 MB, which is more than Django reads into memory."""
    file = io.BytesIO()
    Image.effect_noise((2000, 1900), 90).save(file, "PNG", compress_level=0)
    return file.getvalue()


class TestImages:
    def test_an_open_is_recorded_with_its_recipient(self, client: Client, tracker: Tracker, pixel: Pixel) -> None:
        (ann,) = tracker.generate_tokens(pixel, ["ann@example.org"])
        answer = client.get(f"/track/tracker/{pixel.short_id}.png", {"token": ann.token}, REMOTE_ADDR="192.0.2.7")
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        (found,) = tracker.list_opens(pixel).items
        assert (found.recipient_id, found.ip) == (ann.id, "192.0.2.7")

    def test_it_has_the_headers_of_the_tracker_and_no_validator(self, client: Client, pixel: Pixel) -> None:
        answer = client.get(f"/track/tracker/{pixel.short_id}.png", headers={"If-None-Match": "*"})
        assert answer["Cache-Control"] == "no-store, no-cache, must-revalidate, max-age=0, private"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert not {"ETag", "Last-Modified"} & answer.headers.keys()

    @override_settings(SESSION_SAVE_EVERY_REQUEST=True)
    def test_no_middleware_adds_a_cookie_to_it(self, staff: Client, pixel: Pixel) -> None:
        assert staff.get("/track/").cookies
        assert not staff.get(f"/track/tracker/{pixel.short_id}.png").cookies

    def test_it_does_not_use_the_databases_of_the_project(self, client: Client, pixel: Pixel) -> None:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/track/tracker/{pixel.short_id}.png")
        assert not queries.captured_queries

    def test_head_is_answered_like_get_and_is_no_open(self, client: Client, tracker: Tracker, pixel: Pixel) -> None:
        answer = client.head(f"/track/tracker/{pixel.short_id}.png")
        assert (answer.status_code, answer["Content-Length"], answer.content) == (200, "68", b"")
        assert tracker.list_opens(pixel).items == ()

    def test_whatever_a_mail_program_appends_to_its_url_it_is_found(
        self, client: Client, tracker: Tracker, pixel: Pixel
    ) -> None:
        for ending in (".png/", ".png%0A", ".png%ff", ".png%C3%A9"):
            assert client.get(f"/track/tracker/{pixel.short_id}{ending}").status_code == 200
        assert len(tracker.list_opens(pixel).items) == 4

    def test_it_comes_though_the_storage_was_never_there(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with override_settings(MAILTRACK_DATABASE="sqlite:////nowhere/mailtrack.db"):
            answer = client.get("/track/tracker/a1b2c3d4.png")
            assert (answer.status_code, answer["Content-Type"], len(answer.content)) == (200, "image/png", 68)
            assert client.get("/track/healthz").status_code == 503
        assert "is not recorded" in caplog.text


class TestAccess:
    @pytest.mark.parametrize("path", ["/track/", "/track/logs/a1b2c3d4?page=2", API])
    def test_without_a_login_the_admins_login_page_leads_back(self, client: Client, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer["Location"] == f"/admin/login/?next={path.replace('?', '%3F').replace('=', '%3D')}"

    def test_what_can_not_be_asked_for_again_leads_back_to_the_first_page(self, client: Client) -> None:
        assert client.post("/track/pixels", {"name": "New"})["Location"] == "/admin/login/?next=/track/"

    def test_without_the_admin_it_is_the_projects_login_page(self, client: Client) -> None:
        patterns = (path("track/", include("mailtrack_wsgi.django.urls")),)
        with override_settings(ROOT_URLCONF=patterns, LOGIN_URL="/login/"):
            assert client.get("/track/")["Location"] == "/login/?next=/track/"

    def test_a_user_who_is_not_staff_is_refused(self, customer: Client, pixel: Pixel) -> None:
        assert customer.get(f"/track/logs/{pixel.short_id}").status_code == 403
        assert customer.get(API).json() == {"error": "You are not allowed to see this."}

    def test_staff_sees_the_pages_and_uses_the_api(self, staff: Client, pixel: Pixel) -> None:
        assert b"Spring launch" in staff.get(f"/track/logs/{pixel.short_id}").content
        assert [one["id"] for one in staff.get(API).json()["items"]] == [pixel.id]

    @pytest.mark.parametrize("path", ["/track/healthz", "/track/static/style.css", "/track/tracker/a1b2c3d4.png"])
    def test_what_is_public_needs_no_login(self, client: Client, path: str) -> None:
        assert client.get(path).status_code == 200

    def test_a_stored_key_lets_a_program_in(self, client: Client, tracker: Tracker) -> None:
        _, key = tracker.keys.create("Nightly export")
        assert client.get(API, headers={"X-API-Key": key}).status_code == 200

    @pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 403), ("/elsewhere/", 302)])
    def test_a_function_of_the_project_decides_instead(self, client: Client, allowed: object, status: int) -> None:
        def authorize(request: HttpRequest) -> object:
            assert request.path == "/track/"
            return allowed

        with override_settings(MAILTRACK_AUTHORIZE=authorize):
            assert client.get("/track/").status_code == status


class TestForms:
    @pytest.fixture
    def staff(self, staff: Client) -> Client:
        staff.handler.enforce_csrf_checks = True
        return staff

    def test_a_form_of_our_pages_is_taken(self, staff: Client, tracker: Tracker) -> None:
        answer = staff.post("/track/pixels", {"name": "New"}, headers={"Sec-Fetch-Site": "same-origin"})
        assert answer.status_code == 303
        (made,) = tracker.list_pixels().items
        assert (made.name, answer["Location"]) == ("New", f"/track/pixels/{made.short_id}/recipients")

    @pytest.mark.parametrize("header", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.com"}])
    def test_a_form_of_another_site_is_refused(self, staff: Client, pixel: Pixel, header: dict[str, str]) -> None:
        answer = staff.post(f"/track/pixels/{pixel.short_id}/delete", headers=header)
        assert answer.status_code == 403
        assert b"other sites" in answer.content

    def test_a_form_of_this_site_is_taken_from_a_browser_that_sends_its_origin(
        self, staff: Client, pixel: Pixel
    ) -> None:
        page = f"/track/pixels/{pixel.short_id}/delete"
        assert staff.post(page, headers={"Origin": "https://testserver"}, secure=True).status_code == 303


class TestBodies:
    def test_an_image_larger_than_django_reads_into_memory_is_taken(self, staff: Client) -> None:
        image = io.BytesIO(noise_png())
        image.name = "noise.png"
        answer = staff.post(API, {"name": "New", "image": image})
        assert answer.status_code == 201
        assert staff.get("/track" + answer.json()["imagePath"])["Content-Type"] == "image/png"

    def test_a_long_list_of_addresses_is_taken(self, staff: Client, pixel: Pixel) -> None:
        emails = [f"{number}.{'a' * 50}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example.org" for number in range(10_000)]
        body = json.dumps({"emails": emails})
        assert len(body) > 2_500_000 / 1.05
        answer = staff.post(f"{API}/{pixel.id}/generate-tokens", body, content_type="application/json")
        assert answer.json()["generated"] == 10_000

    @override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, f"{__name__}.read_body"])
    def test_a_body_that_middleware_has_read_is_still_there(self, staff: Client) -> None:
        assert staff.post(API, {"name": "New"}, content_type="application/json").status_code == 201

    def test_a_download_streams(self, staff: Client, tracker: Tracker, pixel: Pixel) -> None:
        tracker.generate_tokens(pixel, ["ann@example.org"])
        answer = staff.get(f"{API}/{pixel.id}/generate-tokens/csv")
        assert answer.streaming
        assert b"ann@example.org" in b"".join(answer.streaming_content)


class TestMount:
    def test_django_appends_the_slash_of_the_first_page(self, staff: Client) -> None:
        assert staff.get("/track", follow=True).redirect_chain == [("/track/", 301)]

    @override_settings(MAILTRACK_BASE_URL=None)
    def test_urls_have_the_path_of_the_mount_point_and_of_the_server(self, staff: Client) -> None:
        answer = staff.post(API, {"name": "New"}, headers={"Host": "example.org"}, SCRIPT_NAME="/site", secure=True)
        assert answer.json()["logsUrl"].startswith("https://example.org/site/track/logs/")

    @override_settings(MAILTRACK_BASE_URL=None, USE_X_FORWARDED_HOST=True)
    @override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
    def test_urls_follow_what_the_project_knows_of_its_proxy(self, staff: Client) -> None:
        forwarded = {"X-Forwarded-Host": "example.com", "X-Forwarded-Proto": "https"}
        answer = staff.post(API, {"name": "New"}, headers=forwarded)
        assert answer.json()["logsUrl"].startswith("https://example.com/track/logs/")

    @override_settings(MAILTRACK_BASE_URL=None)
    @pytest.mark.parametrize("mount", ["<slug:shop>/track/", "<slug:shop>/post/ä ö/"])
    def test_the_path_may_have_arguments_blanks_and_any_letters(self, staff: Client, mount: str) -> None:
        with override_settings(ROOT_URLCONF=(path(mount, include("mailtrack_wsgi.django.urls")),)):
            place = mount.replace("<slug:shop>", "north")
            answer = staff.post(f"/{place}api/v1/pixels", {"name": "New"})
        assert answer.json()["logsUrl"].startswith(f"http://testserver/{quote(place)}logs/")

    @override_settings(MAILTRACK_BASE_URL=None)
    def test_it_may_be_mounted_at_the_top(self, staff: Client) -> None:
        with override_settings(ROOT_URLCONF=(path("", include("mailtrack_wsgi.django.urls")),)):
            answer = staff.post("/api/v1/pixels", {"name": "New"})
        assert answer.json()["logsUrl"].startswith("http://testserver/logs/")


class TestASGI:
    @pytest.fixture
    def staff(self, staff: Client) -> AsyncClient:
        browser = AsyncClient()
        browser.cookies = staff.cookies
        return browser

    def test_an_open_is_recorded(self, tracker: Tracker, pixel: Pixel) -> None:
        answer = async_to_sync(AsyncClient().get)(f"/track/tracker/{pixel.short_id}.png%C3%A9")
        assert (answer.status_code, len(answer.content)) == (200, 68)
        (found,) = tracker.list_opens(pixel).items
        assert found.ip == "127.0.0.1"

    @pytest.mark.usefixtures("pixel")
    def test_pages_and_bodies_work(self, staff: AsyncClient) -> None:
        assert b"Spring launch" in async_to_sync(staff.get)("/track/").content
        assert async_to_sync(staff.post)(API, {"name": "New"}).status_code == 201

    def test_a_download_is_read_piece_by_piece_and_closed(
        self, staff: AsyncClient, tracker: Tracker, pixel: Pixel
    ) -> None:
        tracker.generate_tokens(pixel, [f"{number}@example.org" for number in range(5000)])

        async def download() -> list[bytes]:
            answer = await staff.get(f"{API}/{pixel.id}/generate-tokens/csv")
            assert answer.is_async
            return [piece async for piece in answer]

        for _ in range(3):  # more at once than are let in, if one were not closed
            pieces = async_to_sync(download)()
            assert len(pieces) > 1
            assert b"".join(pieces).count(b"\r\n") == 5001


def read_body(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that reads all bodies."""

    def middleware(request: HttpRequest) -> HttpResponse:
        assert request.body or request.method == "GET"
        return get_response(request)

    return middleware
