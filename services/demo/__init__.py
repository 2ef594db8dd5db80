"""The demonstration: an invented city whose figures come out exactly, from rows."""

from services.demo.loading import SCALES, demo_is_loaded, is_empty, load_demo
from services.demo.welcome import welcome_lines

__all__ = ["SCALES", "demo_is_loaded", "is_empty", "load_demo", "welcome_lines"]
