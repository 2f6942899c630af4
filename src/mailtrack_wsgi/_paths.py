"""The paths below the mount point that more than one module names; `mailtrack._urls` has those of images."""

HEALTH = "/healthz"
READINESS = "/readyz"
STATIC = "/static/"
API = "/api/"
