"""The Flask extension: mounted below a path, beside the application, with its login, and with a spool of its own."""

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import flask
import pytest
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix

from mailtrack import InvalidArgument, InvalidSetting, StorageError, Tracker, open_storage
from mailtrack.storage._replica import ReplicaState
from mailtrack_wsgi.flask import Mailtrack

BASE = "https://example.org/track"
KEY = "mtk_0123456789abcdef0123456789abcdef01234567"
USERS = {"1": {"name": "ann", "staff": True}, "2": {"name": "bob", "staff": False}}

# A login extension as projects have them: the user is loaded from the session when first used, and kept in `g`.
current_user = LocalProxy(lambda: _load_user())


def _load_user():
    if "user" not in flask.g:
        flask.g.user = USERS.get(flask.session.get("user_id"))
    return flask.g.user


def by_login(_):
    if not current_user:
        return flask.url_for("login", next=flask.request.full_path)
    return current_user["staff"]


@pytest.fixture
def tracker():
    with open_storage("memory://") as storage:
        tracker = Tracker(storage, base_url=BASE)
        yield tracker
        tracker.stop()


@pytest.fixture
def make_app(tracker):
    """Makes applications with a login and a page, and mailtrack in them."""

    def make(tracker=tracker, *, config=None, **options):
        app = flask.Flask("shop")
        app.config.update({"SECRET_KEY": "secret", "TESTING": True, **(config or {})})

        @app.get("/")
        def home():
            return "the shop"

        @app.post("/login/<user_id>")
        def log_in(user_id):
            flask.session["user_id"] = user_id
            return "in"

        @app.get("/login")
        def login():
            return "the login"

        Mailtrack(app, tracker, **options)
        return app

    return make


@pytest.fixture
def pixel(tracker):
    return tracker.create_pixel("Spring")


def tracked(tracker, pixel):
    return [found.ip for found in tracker.list_opens(pixel).items]


class TestMounted:
    def test_the_pages_the_api_and_the_tracker_are_below_the_prefix(self, make_app, tracker, pixel):
        client = make_app().test_client()
        assert "Spring" in client.get("/track/").text
        assert client.get("/track/api/v1/pixels").json["items"][0]["name"] == "Spring"
        image = client.get(f"/track/tracker/{pixel.short_id}.png", environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert (image.status_code, image.mimetype, tracked(tracker, pixel)) == (200, "image/png", ["192.0.2.7"])

    def test_the_application_keeps_its_own_pages(self, make_app):
        client = make_app().test_client()
        assert [client.get(path).text for path in ("/", "/login")] == ["the shop", "the login"]
        assert client.get("/trackers").status_code == 404

    @pytest.mark.parametrize(
        ("prefix", "mount"), [("/mail/opens", "/mail/opens"), ("/mail/", "/mail"), ("/größe", "/größe")]
    )
    def test_the_prefix_can_be_chosen(self, make_app, pixel, prefix, mount):
        client = make_app(url_prefix=prefix).test_client()
        assert client.get(f"{mount}/logs/{pixel.short_id}").status_code == 200
        assert client.get("/track/").status_code == 404

    @pytest.mark.parametrize("prefix", ["", "/", "//", "track", None, 5])
    def test_a_prefix_that_is_no_path_is_refused(self, tracker, prefix):
        with pytest.raises(InvalidSetting, match="url_prefix"):
            Mailtrack(None, tracker, prefix)

    def test_the_mount_point_without_a_slash_is_the_dashboard(self, make_app):
        assert "<!doctype html>" in make_app().test_client().get("/track").text

    def test_a_mangled_path_of_the_tracker_is_found(self, make_app, tracker, pixel):
        client = make_app().test_client()
        for path in (f"/track//tracker/{pixel.short_id}.PNG/", f"/track/track/tracker/{pixel.short_id}"):
            assert client.get(path).mimetype == "image/png"
        assert len(tracked(tracker, pixel)) == 2

    def test_a_blueprint_at_the_same_prefix_keeps_its_pages(self, make_app, pixel):
        app = make_app()
        orders = flask.Blueprint("orders", __name__, url_prefix="/track")
        orders.add_url_rule("/orders", view_func=lambda: "the orders", endpoint="index")
        orders.add_url_rule("/<path:path>", view_func=lambda path: f"any {path}", endpoint="any")
        app.register_blueprint(orders)
        client = app.test_client()
        assert client.get("/track/orders").text == "the orders"
        assert client.get("/track/nowhere").text == "any nowhere"
        assert client.get(f"/track/tracker/{pixel.short_id}.png").mimetype == "image/png"
        assert client.get("/track/api/v1/pixels").json["items"]
        assert client.post("/track/logs/x").status_code == 405

    def test_what_nobody_has_gets_the_page_of_the_application(self, make_app):
        app = make_app()
        app.register_error_handler(404, lambda _: ("not in the shop", 404))
        assert app.test_client().get("/track/nowhere").text == "not in the shop"

    def test_links_are_made_by_the_name_of_the_extension(self, make_app):
        app = make_app()
        with app.test_request_context("/", base_url="http://example.org/shop"):
            assert flask.url_for("mailtrack") == "/shop/track/"

    def test_links_of_pages_have_the_path_of_the_application_too(self, make_app):
        with open_storage("memory://") as storage:
            tracker = Tracker(storage)
            client = make_app(tracker).test_client()
            made = client.post("/track/api/v1/pixels", json={"name": "A"}, base_url="https://example.org/shop").json
            tracker.stop()
        assert made["trackingUrl"] == f"https://example.org/shop/track/tracker/{made['id'][:8]}.png"

    def test_bodies_are_read_by_mailtrack_within_its_own_limits(self, make_app):
        app = make_app(config={"MAX_CONTENT_LENGTH": 1, "MAX_FORM_MEMORY_SIZE": 1})
        assert app.test_client().post("/track/api/v1/pixels", json={"name": "A"}).status_code == 201

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_proxy_fix_counts_whether_it_comes_before_or_after(self, tracker, pixel, when):
        app = flask.Flask("shop")
        if when == "before":
            app.wsgi_app = ProxyFix(app.wsgi_app)
        Mailtrack(app, tracker)
        if when == "after":
            app.wsgi_app = ProxyFix(app.wsgi_app)
        headers = {"X-Forwarded-For": "192.0.2.9"}
        app.test_client().get(f"/track/tracker/{pixel.short_id}.png", headers=headers)
        assert tracked(tracker, pixel) == ["192.0.2.9"]

    def test_images_pass_by_the_hooks_and_the_session_of_the_application(self, make_app, tracker, pixel):
        app = make_app()
        app.before_request(lambda: flask.redirect("/login"))
        app.after_request(lambda response: response.set_cookie("seen", "1") or response)
        app.session_interface = NoSessions()
        answer = app.test_client().get(f"/track/tracker/{pixel.short_id}.png")
        assert (answer.status_code, answer.mimetype, "Set-Cookie" in answer.headers) == (200, "image/png", False)
        assert len(tracked(tracker, pixel)) == 1


class NoSessions(flask.sessions.SessionInterface):
    """A store of sessions that is away."""

    def open_session(self, *_):
        raise ConnectionError("the store of sessions is away")


class TestAuthorize:
    def test_it_can_use_the_session_the_user_and_url_for(self, make_app):
        client = make_app(authorize=by_login).test_client()
        answer = client.get("/track/logs/a1b2c3d4?page=2")
        assert (answer.status_code, answer.location) == (302, "/login?next=/track/logs/a1b2c3d4?page%3D2")
        client.post("/login/2")
        assert client.get("/track/").status_code == 403
        client.post("/login/1")
        assert client.get("/track/").status_code == 200

    def test_it_can_use_what_a_hook_of_the_application_put_into_g(self, make_app):
        app = make_app(authorize=lambda _: flask.g.is_staff)

        @app.before_request
        def load():
            flask.g.is_staff = flask.session.get("user_id") == "1"

        client = app.test_client()
        assert client.get("/track/").status_code == 403
        client.post("/login/1")
        assert client.get("/track/").status_code == 200

    @pytest.mark.parametrize(
        ("answer", "status", "location"),
        [(lambda: flask.redirect("/closed"), 302, "/closed"), (lambda: ("closed", 503), 403, None)],
    )
    def test_a_hook_that_answers_itself_refuses_or_redirects(self, make_app, answer, status, location):
        app = make_app(authorize=lambda _: True)
        app.before_request(answer)
        answered = app.test_client().get("/track/")
        assert (answered.status_code, answered.location) == (status, location)

    def test_a_session_that_can_t_be_opened_refuses_and_leaves_nothing_behind(self, make_app):
        app = make_app(authorize=by_login)
        app.session_interface = NoSessions()
        assert app.test_client().get("/track/").status_code == 403
        assert not flask.has_app_context()

    def test_an_abort_in_it_refuses(self, make_app):
        assert make_app(authorize=lambda _: flask.abort(401)).test_client().get("/track/").status_code == 403

    def test_it_gets_the_path_below_the_mount_point_and_flask_the_whole_one(self, make_app):
        seen = []

        def authorize(environ):
            seen.append((environ["SCRIPT_NAME"], environ["PATH_INFO"], flask.request.path))
            return True

        make_app(authorize=authorize).test_client().get("/track/logs/a1b2c3d4")
        assert seen == [("/track", "/logs/a1b2c3d4", "/track/logs/a1b2c3d4")]

    def test_resources_of_the_application_are_released_after_it(self, make_app):
        released = []
        app = make_app(authorize=lambda _: True)
        app.teardown_appcontext(lambda _: released.append(flask.g.pop("connection", None)))
        app.before_request(lambda: setattr(flask.g, "connection", "opened"))
        app.test_client().get("/track/")
        assert released == ["opened"]

    def test_it_is_asked_for_changes_before_the_body_is_read(self, make_app, tracker):
        client = make_app(authorize=by_login).test_client()
        assert client.post("/track/api/v1/pixels", json={"name": "A"}).status_code == 302
        client.post("/login/1")
        assert client.post("/track/api/v1/pixels", json={"name": "A"}).status_code == 201
        assert [pixel.name for pixel in tracker.iter_pixels()] == ["A"]

    def test_images_and_health_are_not_asked_for(self, make_app, pixel):
        client = make_app(authorize=lambda _: 1 / 0).test_client()
        paths = [f"/tracker/{pixel.short_id}.png", "/healthz", "/static/style.css"]
        assert [client.get(f"/track{path}").status_code for path in paths] == [200] * 3

    def test_each_thread_is_asked_for_its_own_user(self, make_app):
        app = make_app(authorize=by_login)
        barrier = threading.Barrier(8)

        def ask(number):
            client = app.test_client()
            client.post(f"/login/{1 + number % 2}")
            barrier.wait(30)
            return [client.get("/track/healthz" if n % 5 == 4 else "/track/readyz").status_code for n in range(20)]

        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(ask, range(8)))
        assert [set(one) for one in found] == [{200}, {200, 403}] * 4

    def test_keys_go_together_with_it(self, make_app):
        client = make_app(authorize=by_login, config={"MAILTRACK_OPTIONS": {"api_keys": [KEY]}}).test_client()
        assert client.get("/track/api/v1/pixels", headers={"X-API-Key": KEY}).status_code == 200
        assert client.get("/track/api/v1/pixels").status_code == 302

    @pytest.mark.parametrize("authorize", ["/login", 5])
    def test_what_is_no_function_is_refused(self, tracker, authorize):
        with pytest.raises(InvalidSetting, match="authorize"):
            Mailtrack(None, tracker, authorize=authorize)

    def test_without_it_and_without_keys_a_warning_is_logged(self, make_app, caplog):
        make_app(authorize=by_login)
        make_app(config={"MAILTRACK_OPTIONS": {"stored_keys": True}})
        make_app(config={"MAILTRACK_OPTIONS": {"authorize": by_login}})
        assert caplog.messages == []
        assert make_app().test_client().get("/track/").status_code == 200
        assert ["are public" in message for message in caplog.messages] == [True]


class TestConfig:
    def make(self, **config):
        app = flask.Flask("shop")
        app.config.from_mapping({f"MAILTRACK_{name}": value for name, value in config.items()})
        return app, Mailtrack(app)

    def test_the_tracker_is_made_from_it(self, tmp_path):
        app, mailtrack = self.make(DATABASE=f"sqlite:///{tmp_path}/mail.db", BASE_URL=BASE)
        pixel = mailtrack.tracker.create_pixel("A")
        assert mailtrack.tracker.tracking_url(pixel) == f"{BASE}/tracker/{pixel.short_id}.png"
        assert app.test_client().get(f"/track/tracker/{pixel.short_id}.png").status_code == 200
        assert mailtrack.tracker.stop()
        assert (tmp_path / "mail.db.spool").is_dir()
        assert len(mailtrack.tracker.list_opens(pixel).items) == 1

    @pytest.mark.parametrize(("spool", "made"), [("off", None), ("hits", "hits")])
    def test_the_spool_can_be_elsewhere_or_off(self, tmp_path, spool, made):
        folder = spool if made is None else str(tmp_path / spool)
        app, mailtrack = self.make(DATABASE=f"sqlite:///{tmp_path}/mail.db", SPOOL=folder)
        app.test_client().get("/track/healthz")
        mailtrack.tracker.stop()
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ([made] if made else [])

    def test_options_are_those_of_create_app(self):
        app, mailtrack = self.make(DATABASE="memory://", OPTIONS={"api_keys": [KEY], "trusted_proxies": 1})
        assert app.test_client().get("/track/").status_code == 401
        with app.app_context():
            assert mailtrack.tracker.stop()

    @pytest.mark.parametrize(
        ("config", "error", "named"),
        [
            ({}, InvalidSetting, "MAILTRACK_DATABASE"),
            ({"DATABASE": "nonsense"}, InvalidSetting, "database"),
            ({"DATABASE": "memory://", "BASE_URL": "example.org"}, InvalidSetting, "base_url"),
            ({"DATABASE": "memory://", "OPTIONS": {"api_keys": []}}, InvalidSetting, "api_keys"),
            ({"DATABASE": "memory://", "OPTIONS": {"api_key": KEY}}, TypeError, "api_key"),
            ({"DATABASE": "sqlite:////nowhere/at/all.db"}, StorageError, "."),
        ],
    )
    def test_what_can_t_be_used_is_refused_at_once(self, config, error, named):
        with pytest.raises(error, match=named):
            self.make(**config)
        gc.collect()  # storages that were left open would warn

    def test_a_url_in_place_of_a_tracker_is_refused(self):
        with pytest.raises(InvalidArgument, match="must be a Tracker"):
            Mailtrack(flask.Flask("shop"), "memory://")


class TestApplications:
    def test_an_application_factory_gets_it_by_init_app(self, tracker):
        mailtrack = Mailtrack(tracker=tracker, url_prefix="/mail")
        assert mailtrack.tracker is tracker
        for name in ("first", "second"):
            app = flask.Flask(name)
            mailtrack.init_app(app)
            assert app.test_client().get("/mail/").status_code == 200

    def test_each_application_has_its_own_tracker_without_one(self):
        mailtrack, apps = Mailtrack(), [flask.Flask("first"), flask.Flask("second")]
        for app in apps:
            app.config["MAILTRACK_DATABASE"] = "memory://"
            mailtrack.init_app(app)
            with app.app_context():
                mailtrack.tracker.create_pixel(app.name)
        assert [
            [one["name"] for one in app.test_client().get("/track/api/v1/pixels").json["items"]] for app in apps
        ] == [
            ["first"],
            ["second"],
        ]
        for app in apps:
            with app.app_context():
                assert mailtrack.tracker.stop()

    def test_without_an_application_there_is_no_tracker(self):
        mailtrack = Mailtrack()
        with pytest.raises(RuntimeError, match="init_app"):
            _ = mailtrack.tracker
        with flask.Flask("without").app_context(), pytest.raises(RuntimeError, match="init_app"):
            _ = mailtrack.tracker

    def test_an_application_gets_it_once(self, make_app, tracker):
        app = make_app()
        with pytest.raises(InvalidSetting, match="has mailtrack already"):
            Mailtrack(app, tracker, "/mail")


class Spy(Tracker):
    """Counts in which processes it is started and stopped."""

    def __init__(self, storage):
        super().__init__(storage)
        self.calls = []

    def start(self):
        self.calls.append(("start", os.getpid()))

    def stop(self, **_):
        self.calls.append(("stop", os.getpid()))
        return True


class TestLifespan:
    @pytest.fixture
    def spy(self):
        with open_storage("memory://") as storage:
            yield Spy(storage)

    def test_the_first_request_for_mailtrack_starts_it_and_no_later_one(self, make_app, spy):
        client = make_app(spy).test_client()
        client.get("/")
        assert spy.calls == []
        for path in ("/track/tracker/a1b2c3d4.png", "/track/", "/track/healthz"):
            client.get(path)
        assert spy.calls == [("start", os.getpid())]

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")  # servers do it, too
    def test_a_forked_child_starts_it_again_and_its_parent_goes_on(self, make_app, spy):
        client = make_app(spy).test_client()
        client.get("/track/healthz")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            client.get("/track/healthz")
            os.write(writing, b"%d" % [pid for _, pid in spy.calls].count(os.getpid()))
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 9) == b"1"
        client.get("/track/healthz")
        assert spy.calls == [("start", os.getpid())]
        for end in (reading, writing):
            os.close(end)

    def test_a_spool_that_can_t_be_used_costs_no_open(self, tmp_path, caplog):
        (tmp_path / "hits").write_text("a file in place of the folder")
        app = flask.Flask("shop")
        app.config.update(MAILTRACK_DATABASE=f"sqlite:///{tmp_path}/mail.db", MAILTRACK_SPOOL=str(tmp_path / "hits"))
        tracker = Mailtrack(app).tracker
        pixel = tracker.create_pixel("A")
        assert app.test_client().get(f"/track/tracker/{pixel.short_id}.png").status_code == 200
        assert "The spool can't be used" in caplog.text
        assert len(tracker.list_opens(pixel).items) == 1
        tracker.stop()


def test_figures_are_read_from_the_replica_that_is_named(replicated):
    primary, standby = replicated
    app = flask.Flask("shop")
    app.config.update(MAILTRACK_DATABASE=primary.url(), MAILTRACK_READ_URL=standby.url(), MAILTRACK_SPOOL="off")
    tracker = Mailtrack(app).tracker
    with tracker._storage:
        pixel = tracker.create_pixel("Read from two")
        assert isinstance(tracker._get_replica_state(), ReplicaState)
        assert "replicaLag" in app.test_client().get("/track/readyz").json
        assert tracker.report(pixel).pixel.name == "Read from two"
        tracker.stop()
    other = flask.Flask("other")
    other.config.update(app.config, MAILTRACK_READ_URL=primary.url())
    with pytest.raises(InvalidSetting, match="names a server that is no replica"):
        Mailtrack(other)


def test_a_replica_of_a_storage_that_has_none_is_refused(tmp_path):
    app = flask.Flask("shop")
    app.config.update(MAILTRACK_DATABASE=f"sqlite:///{tmp_path}/mail.db", MAILTRACK_READ_URL="sqlite:///replica.db")
    with pytest.raises(InvalidSetting, match="this storage has no replicas"):
        Mailtrack(app)
