"""A time limit for calls into a driver's library, which has none of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Call ``work`` in a daemon thread and wait ``seconds`` for it.

    Raises:
        TimeoutError: it did not come back; the thread is left behind and dies with the process.
        Exception: whatever ``work`` raised.
    """
    import threading  # noqa: PLC0415 (only a machine with a GPU needs it)

    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=call, name="torchsel-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        msg = f"no answer within {seconds:g} s"
        raise TimeoutError(msg)
    return results[0]
