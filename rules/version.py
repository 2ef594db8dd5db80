"""The program's version: the one place that says it. CHANGELOG.md says what each version brought."""

VERSION = "1.0.0"
"""Raised with each release; a closed report keeps the version that counted it."""
