"""Where raw images come from: one module a source, each ending in a `Source`."""
