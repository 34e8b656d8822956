"""Known failures: their words in a log, their cause and the one thing to do. Stands beneath the rooms."""

from builder.failures.model import Failure, Hit, Match, Reading
from builder.failures.scan import recognise, recognise_file, recognise_stream

__all__ = ["Failure", "Hit", "Match", "Reading", "recognise", "recognise_file", "recognise_stream"]
