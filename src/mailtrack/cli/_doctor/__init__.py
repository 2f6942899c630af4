"""The checks of `mailtrack doctor`: a deployment seen from inside and from outside."""
