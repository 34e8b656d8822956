"""Scripts sent over stdin to the image's Python (3.8 or later); each prints one JSON document on its last line."""
