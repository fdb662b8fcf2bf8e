"""The statistics of the gate: bounds by a paired bootstrap, Holm's correction, queries needed. numpy alone."""
