"""A job's specification never changes: the first one stands, and every state names the one that it is of.

The topic is compacted: the first WANTED may be gone when another instance takes the job over, and its state tells.
"""

from __future__ import annotations

import hashlib

import msgspec
from roggia_schemas.events import OpsJob

REFUSED = "another specification was sent under this id and is refused: a job's never changes, ask for a new job"
LOST = (
    "its specification was changed after it had begun, and the first one is no longer on the log: nothing more is "
    "done, ask for a new job"
)
_OF = "of"


def same(one: OpsJob, other: OpsJob) -> bool:
    """Whether two WANTEDs ask for the same, but for wish and rates."""
    return (one.kind, one.spec) == (other.kind, other.spec)


def mark(wanted: OpsJob) -> str:
    """Names a specification, in sixteen digits."""
    return hashlib.sha256(f"{wanted.kind.value} {wanted.spec}".encode()).hexdigest()[:16]


def marked(outcome: str, of: str) -> str:
    """What a STATE keeps as its `spec`: a runner's outcome, and the mark of the specification that it is of.

    An outcome that is no JSON object, as no version of ours wrote one, stays as it is.
    """
    try:
        return msgspec.json.encode(msgspec.json.decode(outcome, type=dict[str, msgspec.Raw]) | {_OF: of}).decode()
    except msgspec.DecodeError:
        return outcome


def mark_in(state: OpsJob | None) -> str:
    """The mark in a STATE; empty where it has none, as those of older versions."""
    if state is None:
        return ""
    try:
        return str(msgspec.json.decode(state.spec, type=dict[str, object]).get(_OF, ""))
    except msgspec.DecodeError:
        return ""
