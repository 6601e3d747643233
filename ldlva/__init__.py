"""Facial-expression surveys, models, and the honest comparison of the two."""

__version__ = "0.1.0"
