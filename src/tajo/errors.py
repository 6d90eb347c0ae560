"""Every error of Tajo, grouped by its consequence rather than its origin.

    TajoError
    ├── Mend       stop and tell the human: nothing we can do will help (exit code 3)
    │   ├── Usage  the words given to us are wrong: configuration, command line (exit code 2)
    │   │   └── Unknown  what they name is not there
    │   └── Busy   somebody else is at work there, and will have finished by itself
    ├── Later      not now: put it back, with a time
    └── Refused    this one record cannot pass: park it with the reason, go on with the others

The text of an error never holds a secret, an e-mail address or any other personal datum.
"""


class TajoError(Exception):
    """Root of the tree. `str(error)` is one sentence for a person."""


class Mend(TajoError):
    """A human must act. `problem` says what is wrong and where, `mend` how to put it right."""

    exit_code = 3

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem}\n  Mend: {mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


class Usage(Mend):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


class Unknown(Usage):
    """What was asked for is not there: a connector, a record, a key."""


class Busy(Mend):
    """Another process works on the same; it ends by itself, so trying again soon is worth it."""


class Later(TajoError):
    """The other side cannot take it now. `seconds`: how long to wait before trying again."""

    def __init__(self, reason: str, seconds: float = 60.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Refused(TajoError):
    """The other side will never take this as it is. `code`: its own short word for it, if any."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


def gravest(error: BaseException) -> BaseException:
    """Of all plain errors in a group of groups the one that says most: a bug, a mend, a later."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    plain = [gravest(inner) for inner in error.exceptions]
    return max(plain, key=lambda e: (not isinstance(e, Later), not isinstance(e, Mend)))
