"""Storage engine of the devstack broker: topics as append-only segment files, and the broker's small durable state."""

from roggia_devstack.storage.journal import StateStore
from roggia_devstack.storage.log import PartitionLog
from roggia_devstack.storage.store import Store
from roggia_devstack.storage.values import AbortedTransaction, AppendResult, ReadResult, TopicMeta

__all__ = ["AbortedTransaction", "AppendResult", "PartitionLog", "ReadResult", "StateStore", "Store", "TopicMeta"]
