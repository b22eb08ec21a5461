"""A circuit breaker: withholds requests from a source that is down or throttles us, and probes it later."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core import metrics
from app.core.errors import ProviderError

logger = logging.getLogger(__name__)


class SourceThrottledError(ProviderError):
    """The source answered that we ask too often."""


class CircuitBreaker:
    """
    Admits attempts while the source works; refuses them for a while once it does not.

    It opens on the first `SourceThrottledError` or after `threshold` other `ProviderError`s in a row. After the pause
    one attempt is let through: its success closes the breaker, its failure doubles the pause. Not for use across
    threads: the event loop is its lock.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        threshold: int = 3,
        pause_seconds: float = 15.0,
        longest_pause_seconds: float = 300.0,
    ) -> None:
        self._clock = clock
        self._threshold = threshold
        self._first_pause = pause_seconds
        self._longest_pause = longest_pause_seconds
        self._failures = 0
        self._pause = 0.0  # 0 while closed
        self._open_until = 0.0
        self._probing = False

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """
        Guard one request to the source and learn from its outcome.

        An exception that is no `ProviderError` (a cancellation, an answer that another endpoint may give better)
        says nothing about the source and changes nothing.

        Raises:
            ProviderError: the breaker is open; the body was not run.
        """
        is_probe = self._admit()
        outcome = "abandoned"
        try:
            yield
        except ProviderError as error:
            throttled = isinstance(error, SourceThrottledError)
            outcome = "throttled" if throttled else "failed"
            self._failed(at_once=throttled)
            error.retry_after = max(error.retry_after, self._remaining_seconds())
            raise
        else:
            outcome = "ok"
            self._succeeded()
        finally:
            metrics.count_provider_call(outcome)
            if is_probe:
                self._probing = False

    def _admit(self) -> bool:
        """Let an attempt through or raise; True if it is the one that tries whether the source is back."""
        if self._pause == 0:
            return False
        if self._probing or self._remaining_seconds() > 0:
            metrics.count_provider_call("withheld")
            retry_after = max(1.0, self._remaining_seconds())
            raise ProviderError("The price source is not answering; it is asked again soon.", retry_after=retry_after)
        self._probing = True
        return True

    def _failed(self, *, at_once: bool) -> None:
        self._failures += 1
        if self._pause == 0 and not at_once and self._failures < self._threshold:
            return
        if self._remaining_seconds() > 0:
            return  # an attempt that had begun before the breaker opened
        self._pause = min(self._pause * 2 or self._first_pause, self._longest_pause)
        self._open_until = self._clock() + self._pause
        logger.warning("Price source not usable: no requests for %.0f s.", self._pause)

    def _succeeded(self) -> None:
        if self._pause:
            logger.info("Price source usable again.")
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0

    def _remaining_seconds(self) -> float:
        return max(0.0, self._open_until - self._clock())
