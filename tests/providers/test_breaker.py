"""The circuit breaker against a clock that the test moves."""

import pytest

from app.core.errors import ProviderError
from app.providers.breaker import CircuitBreaker, SourceThrottledError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock=clock, threshold=3, pause_seconds=10, longest_pause_seconds=35)


def attempt(breaker: CircuitBreaker, outcome: BaseException | None = None) -> None:
    with breaker.attempt():
        if outcome is not None:
            raise outcome


def fail(breaker: CircuitBreaker, error: ProviderError | None = None) -> ProviderError:
    """Attempt and fail; return what the caller sees."""
    with pytest.raises(ProviderError) as caught:
        attempt(breaker, error or ProviderError("down"))
    return caught.value


def assert_refuses(breaker: CircuitBreaker) -> ProviderError:
    with pytest.raises(ProviderError) as caught, breaker.attempt():
        pytest.fail("the attempt was let through")
    return caught.value


def test_throttling_opens_at_once_and_says_when_to_return(breaker: CircuitBreaker, clock: Clock) -> None:
    error = fail(breaker, SourceThrottledError("429"))

    assert error.retry_after == 10
    clock.now += 4
    assert assert_refuses(breaker).retry_after == 6


def test_outage_opens_after_three_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    attempt(breaker)  # a success starts the count again
    fail(breaker)
    fail(breaker)
    assert fail(breaker).retry_after == 10

    assert_refuses(breaker)


def test_after_the_pause_one_attempt_decides(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, SourceThrottledError("429"))
    clock.now += 10

    with breaker.attempt():
        assert assert_refuses(breaker).retry_after == 1  # a second one, while the first is under way

    attempt(breaker)
    fail(breaker)
    attempt(breaker)  # closed: a single failure does not open it


def test_each_failed_try_doubles_the_pause_up_to_the_limit(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, SourceThrottledError("429"))

    for expected_pause in (20, 35, 35):
        clock.now += 40
        assert fail(breaker).retry_after == expected_pause


def test_pause_is_short_again_after_a_recovery(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, SourceThrottledError("429"))
    clock.now += 10
    fail(breaker)
    clock.now += 20
    attempt(breaker)

    assert fail(breaker, SourceThrottledError("429")).retry_after == 10


@pytest.mark.parametrize("outcome", [KeyboardInterrupt(), ValueError("another endpoint may do better")])
def test_outcome_that_says_nothing_about_the_source_changes_nothing(
    breaker: CircuitBreaker, clock: Clock, outcome: BaseException
) -> None:
    fail(breaker, SourceThrottledError("429"))
    clock.now += 10

    with pytest.raises(type(outcome)):
        attempt(breaker, outcome)

    attempt(breaker)  # the next one may try in its place


def test_failures_of_attempts_that_began_before_it_opened_do_not_prolong_the_pause(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    with pytest.raises(ProviderError, match="slow failure"):
        fail_slowly(breaker)

    clock.now += 10
    attempt(breaker)


def fail_slowly(breaker: CircuitBreaker) -> None:
    """Fail after another attempt has opened the breaker in the meantime."""
    with breaker.attempt():
        fail(breaker, SourceThrottledError("429"))
        raise ProviderError("slow failure")
