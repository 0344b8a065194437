"""The HTTP door: translates JSON to requests and answers to JSON."""
