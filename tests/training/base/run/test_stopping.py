"""Stopping a run at the end of a step."""

from __future__ import annotations

import signal
import threading

import pytest

from training.base.run.stopping import StopRequest


@pytest.mark.parametrize("number", StopRequest.signals)
def test_the_first_signal_requests_a_stop_and_the_second_takes_effect(number: signal.Signals) -> None:
    came: list[int] = []
    before = signal.signal(number, lambda which, _: came.append(which))
    try:
        own = signal.getsignal(number)
        with StopRequest() as stop:
            assert stop.received == 0
            signal.raise_signal(number)
            assert stop.received == number and came == []
            signal.raise_signal(number)
            assert came == [number]
        assert signal.getsignal(number) is own
    finally:
        signal.signal(number, before)


def test_other_threads_do_not_change_handlers() -> None:
    found: list[object] = []

    def work() -> None:
        with StopRequest() as stop:
            found.append((stop.received, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(0, before)]
