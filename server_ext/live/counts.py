"""Figures of the live events, for `/metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("soundforge_sockets", "Open connections of the live events", ["transport"])
EVENTS = Counter("soundforge_events", "Live events sent, one for each client", ["event"])
