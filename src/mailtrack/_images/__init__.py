"""Images of pixels: uploads are checked and stripped of metadata; images being served are cached."""
