"""A Django project in this process, with mailtrack below /track/, and its users."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

pytest.importorskip("django", reason="Django is not installed")

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings, setup_test_environment, teardown_test_environment
from django.urls import include, path

from mailtrack import Pixel, Tracker
from mailtrack_wsgi.django import get_tracker

URLS = "urls_of_the_django_tests"
APPS = ["admin", "auth", "contenttypes", "messages", "sessions"]

if not settings.configured:  # once in a process
    settings.configure(
        SECRET_KEY="a secret of these tests",
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["mailtrack_wsgi.django", *(f"django.contrib.{name}" for name in APPS)],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.http.ConditionalGetMiddleware",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "ATOMIC_REQUESTS": True}},
        MIGRATION_MODULES=dict.fromkeys(APPS),  # tables are made at once
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF=URLS,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        LOGGING_CONFIG=None,
        STATIC_URL="/static/",
        USE_TZ=True,
        MAILTRACK_DATABASE="memory://",
        MAILTRACK_BASE_URL="https://example.org/track",
        MAILTRACK_EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    )
    django.setup()


@pytest.fixture(scope="session", autouse=True)
def project() -> Iterator[None]:
    """The project's URLs and database."""
    from django.contrib import admin

    module = ModuleType(URLS)
    vars(module)["urlpatterns"] = [
        path("admin/", admin.site.urls),
        path("track/", include("mailtrack_wsgi.django.urls")),
    ]
    sys.modules[URLS] = module
    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0)
    yield
    teardown_test_environment()


@pytest.fixture(autouse=True)
def tracker() -> Iterator[Tracker]:
    """The project's tracker, on an empty memory."""
    with override_settings(MAILTRACK_DATABASE="memory://"):
        yield get_tracker()


@pytest.fixture
def pixel(tracker: Tracker) -> Pixel:
    return tracker.create_pixel("Spring launch")


@pytest.fixture
def client() -> Client:
    """A browser in which no user is logged in."""
    return Client()


def _user(name: str, **attributes: bool) -> Client:
    user, _ = get_user_model().objects.get_or_create(username=name, defaults=attributes)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff() -> Client:
    """The browser of a member of staff."""
    return _user("staff", is_staff=True)


@pytest.fixture
def customer() -> Client:
    """The browser of a user who is not staff."""
    return _user("customer")
