"""Which topics the members of a consumer group read, from what they said when they joined."""

from __future__ import annotations

from typing import Final

from roggia_devstack.groups.group import Group
from roggia_devstack.wire.cursor import Cursor
from roggia_devstack.wire.errors import MalformedError

_SMALLEST_NAME: Final = 2


def subscribed(group: Group | None) -> frozenset[str] | None:
    """Topics that members of the group read; None when a member's metadata cannot be read, so it may be any."""
    if group is None:
        return frozenset()
    try:
        read = (_topics(metadata) for member in group.members.values() for metadata in member.protocols.values())
        return frozenset(topic for topics in read for topic in topics)
    except MalformedError:
        return None


def _topics(metadata: bytes) -> list[str]:
    """The topics of ConsumerProtocolSubscription, which begins with them in every version."""
    cursor = Cursor(metadata)
    cursor.int16()
    count = cursor.elements(max(cursor.int32(), 0), _SMALLEST_NAME)
    return [cursor.text(cursor.int16()) for _ in range(count)]
