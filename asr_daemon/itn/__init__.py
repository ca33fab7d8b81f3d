"""Inverse text normalisation of Mandarin: spoken numbers in, written minutes out."""

from asr_daemon.itn.normalised import Normalised, Span
from asr_daemon.itn.normaliser import Normaliser

__all__ = ["Normalised", "Normaliser", "Span"]
