"""Everything the runtime raises. Catch `RoggiaError` for all of it; every service's own errors derive from it too."""

from __future__ import annotations


class RoggiaError(Exception):
    """Root of the errors of runtime and services."""


class UnavailableError(RoggiaError):
    """Something that a stage needs (sink, store, model server) does not answer now. The loop waits and tries again."""


class LaterError(UnavailableError):
    """A handler that is held back on purpose: nothing is wrong, the batch is to come again after `after_s` seconds. The
    loop stays in its group, is ready, and logs nothing. A rebalance or the stop ends the wait; a lane is set aside."""

    def __init__(self, why: str, after_s: float) -> None:
        super().__init__(why)
        self.after_s = after_s


class LostPartitionError(RoggiaError):
    """A handler finds that another member has taken a partition over: the batch in hand is given up, uncommitted."""


class ConfigurationError(RoggiaError):
    """A setting is wrong. The message names the setting, the value and the remedy; the process exits with status 2."""


class ProduceError(RoggiaError):
    """Kafka did not take a record: says which topic and why."""


class MissingTopicError(ProduceError):
    """A topic to produce to does not exist, or a broker that has just started does not know it yet."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist: create it (roggia topics apply)")


class ConsumeError(RoggiaError):
    """The consumer loop cannot go on: Kafka refuses it, or a topic does not exist."""


class HandlerContractError(RoggiaError):
    """A handler broke its contract (a verdict per record). A bug: the service stops and commits nothing."""


class DlqLimitError(RoggiaError):
    """Too many records in a short time would go to the dead-letter topic. The loop stops before producing them."""


class RegistryError(RoggiaError):
    """The schema registry refused a request: says which and why."""


class AdminError(RoggiaError):
    """Kafka refused an administrative request: says which and why."""


class ModelRegistryError(RoggiaError):
    """The model registry refused a request, or answered what makes no sense: says which and why."""


class ModelRegistryUnavailableError(ModelRegistryError, UnavailableError):
    """The model registry does not answer now. What it said last may be old; ask again."""


class UnknownModelError(ModelRegistryError):
    """The model registry has no such model, version or report."""
