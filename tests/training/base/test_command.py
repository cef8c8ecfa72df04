"""What the commands share: one sentence, the device, a stop that waits for the end of a step."""

from __future__ import annotations

import signal
import threading

import pytest
import torch

from igr_core.errors import IGRError
from training.base.command import StopRequest, choose_device, one_sentence


def test_a_mistake_is_one_sentence_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    @one_sentence()
    def command(value: int) -> int:
        if value:
            raise IGRError("that is wrong: do this")
        return value

    assert command(0) == 0
    with pytest.raises(SystemExit) as stop:
        command(1)
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: that is wrong: do this\n"


def test_device() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("nonsense", "cuda:77"):
        with pytest.raises(IGRError, match=f"--device {name}"):
            choose_device(name)


@pytest.mark.parametrize("number", StopRequest.signals)
def test_first_signal_asks_and_the_second_acts(number: signal.Signals) -> None:
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


def test_other_threads_change_no_handler() -> None:
    found: list[object] = []

    def work() -> None:
        with StopRequest() as stop:
            found.append((stop.received, signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(0, before)]
