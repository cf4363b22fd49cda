"""The library that the steps share, one module per idea; reading and writing files happens in `scripts/`."""
