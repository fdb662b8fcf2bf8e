"""What can be wrong with where to listen."""


class NetworkError(Exception):
    """Root of this package's errors."""


class BindRefusedError(NetworkError):
    """The address would open an unprotected broker to other machines."""
