"""Metrics of the operator, declared once. Each room adds its own here."""

from __future__ import annotations
