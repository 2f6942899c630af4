"""What mailtrack adds to `manage.py`."""
