"""Lessons: two networks side by side over many steps, and knobs that change what is seen."""

from .lesson import Knob, Lesson
from .page import Show
from .story import LESSONS, show

__all__ = ["LESSONS", "Knob", "Lesson", "Show", "show"]
