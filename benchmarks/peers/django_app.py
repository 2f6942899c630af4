"""Django + pytracking: its view, a model for the opens, a commit for each."""

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 10,
                "transaction_mode": "IMMEDIATE",
                "init_command": f"PRAGMA journal_mode = WAL; PRAGMA synchronous = {os.environ['PEER_SYNCHRONOUS']}",
            },
        }
    },
    PYTRACKING_CONFIGURATION={"base_open_tracking_url": "http://127.0.0.1/open/", "append_slash": False},
    ROOT_URLCONF=__name__,
    SECRET_KEY="benchmark",
    USE_TZ=True,
)
django.setup()

from pytracking.django import OpenTrackingView  # noqa: E402  # it needs the settings


class Open(models.Model):
    number = models.AutoField(primary_key=True)
    token = models.TextField()
    opened_at = models.IntegerField()
    ip = models.TextField(null=True)
    user_agent = models.TextField(null=True)
    referer = models.TextField(null=True)

    class Meta:
        app_label = "peer"
        db_table = "opens"


class View(OpenTrackingView):
    def notify_tracking_event(self, tracking_result):
        Open.objects.create(
            token=tracking_result.metadata["token"],
            opened_at=tracking_result.timestamp * 1000,
            ip=tracking_result.request_data["user_ip"],
            user_agent=tracking_result.request_data["user_agent"],
            referer=self.request.META.get("HTTP_REFERER"),
        )


urlpatterns = [path("open/<path:path>", View.as_view())]
with connection.cursor() as cursor:
    cursor.execute(Path(__file__).with_name("schema.sql").read_text())
connection.close()
app = get_wsgi_application()
