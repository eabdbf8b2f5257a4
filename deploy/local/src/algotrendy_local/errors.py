"""Errors of the embedded stack, each one line that says what to do.

StackError            refused: the person at the terminal must act
└── ProcessDied       a program of the stack ended when it should not; carries the end of its log
"""

from algotrendy_common.errors import Refused


class StackError(Refused):
    """The stack cannot do what was asked. ``str()`` is one line; ``hint`` says what to do about it."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ProcessDied(StackError):
    """A program ended by itself; ``log_lines`` are the last ones it wrote."""

    def __init__(self, name: str, status: int, log_lines: list[str]) -> None:
        ended = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        super().__init__("process_died", f"{name} ended ({ended})", f"read its log: algotrendy logs {name}")
        self.name = name
        self.status = status
        self.log_lines = log_lines
