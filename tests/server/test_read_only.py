"""A server that can write to the folder of its data only, as in a container with a read-only root."""

import io
import os
import shutil
import subprocess

import PIL.Image
import pytest

# Makes all mounts read-only but that of the working directory, for this process alone; then runs a command.
SCRIPT = """
set -e
mount --make-rprivate /
mount --bind "$PWD" "$PWD"
for place in $(awk '{print $5}' /proc/self/mountinfo); do
    test "$place" = "$PWD" || mount -o remount,bind,ro "$place" || true
done 2>/dev/null
cd "$PWD"
for place in "$PWD/.." /tmp /var/tmp; do
    if touch "$place/mailtrack-test" 2>/dev/null; then rm "$place/mailtrack-test"; exit 1; fi
done
exec "$@"
"""
READ_ONLY = ["unshare", "--mount", "sh", "-c", SCRIPT, "sh"]


@pytest.fixture
def read_only(start, tmp_path):
    """A server on a read-only root."""
    if shutil.which("unshare") is None or subprocess.run([*READ_ONLY, "true"], cwd=tmp_path, check=False).returncode:
        pytest.skip("mounts can't be made read-only for one process here")
    return start(within=READ_ONLY)


def test_it_takes_large_images_and_long_lists(read_only):
    boundary = b"----0123456789"
    head = b'--%b\r\nContent-Disposition: form-data; name="name"\r\n\r\nSpring\r\n--%b\r\n' % (boundary, boundary)
    head += b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head + large_png() + b"\r\n--%b--\r\n" % boundary
    request = b"POST /api/v1/pixels HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)
    request += b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n" % boundary
    answer = read_only.exchange(request + body)
    assert answer.status == 201
    path = f"/api/v1/pixels/{answer.json['id']}/generate-tokens"
    emails = [f"reader{number}@example.org" for number in range(10_000)]
    assert read_only("POST", path, json_body={"emails": emails}).status == 201
    assert read_only("GET", f"{path}/csv").data.count(b"\r\n") == 10_001
    assert read_only("DELETE", path.removesuffix("/generate-tokens")).status == 200
    assert read_only.stop() == 0


def large_png():
    """Return a picture of about a megabyte: above what was kept in memory in earlier versions."""

    file = io.BytesIO()
    PIL.Image.frombytes("RGB", (640, 480), os.urandom(640 * 480 * 3)).save(file, "PNG")
    return file.getvalue()
