"""The errors a person sees: what was found, where, what was expected, what to do."""


class ZhongtaiError(Exception):
    """A failure with an explanation. `hint` says what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  what to do: {self.hint}" if self.hint else self.message


class ConfigurationError(ZhongtaiError):
    """Wrong usage, setting, contract, seed or tag declaration: nothing was run."""

    exit_code = 2


class GateHeldError(ZhongtaiError):
    """The candidate did not pass the gate; the last snapshot stays published."""

    exit_code = 3


class BalanceError(ZhongtaiError):
    """Rows in are not the sum of rows out; nothing of the delivery was committed."""
