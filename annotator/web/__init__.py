"""The HTTP face: REST routes and the page."""
