"""How far behind every group is, and how it is doing.

`measure(kafka)` observes once, `LagObserver` again and again; `freshness(measurement)` says what a backfill throttles
itself by: how old the oldest unprocessed live event is, per group and overall, and how much lies unread per topic.
"""

from roggia_operator.lag.measure import LagObserver, freshness, measure
from roggia_operator.lag.values import Freshness, GroupState, Measurement, PartitionLag

__all__ = ["Freshness", "GroupState", "LagObserver", "Measurement", "PartitionLag", "freshness", "measure"]
