"""What evaluation raises.

OperatorError
├── EvaluationError       an evaluation did not come to its end, or its input allows no statement
│   └── WrongGenerationError  the query service answered from another generation than the one asked for
└── SelectionError
    └── GoldenSetError    a golden set, log of clicks or manifest cannot be read: file, line, field, remedy
"""

from __future__ import annotations

from roggia_operator.errors import OperatorError, SelectionError


class EvaluationError(OperatorError):
    """An evaluation did not come to its end, or its input allows no statement."""


class WrongGenerationError(EvaluationError):
    """The query service answered from another generation than the one asked for: its numbers would be another's."""


class GoldenSetError(SelectionError):
    """A file of the evaluation cannot be read; the message names file, line, field and remedy."""
