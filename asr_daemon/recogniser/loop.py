"""The child's loop: orders in, batches through the device, results out.

One thread reads orders, some decode ahead (the feeder), one writes down what was recognised (the teller), and
this one does nothing but feed the device. A job's failure never touches another.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from asr_daemon.dispatch.protocol import Cancel, Computed, Listen, Note, Recognise, Recognised, Saved, Stop
from asr_daemon.recogniser.feeder import Feeder
from asr_daemon.recogniser.gate import Gate
from asr_daemon.recogniser.job import Job
from asr_daemon.recogniser.live.captions import Captions
from asr_daemon.recogniser.pool import Pool
from asr_daemon.recogniser.receipts import Receipts
from asr_daemon.recogniser.speakers.stage import VoiceStage
from asr_daemon.recogniser.teller import Heard, Teller

if TYPE_CHECKING:
    from asr_daemon.dispatch.channel import Channel
    from asr_daemon.dispatch.protocol import Message, Setup
    from asr_daemon.recogniser.engine import Engine
    from asr_daemon.recogniser.families.family import Spoken
    from asr_daemon.recogniser.pool import Waiting

LOOKAHEAD_BATCHES = (
    6  # segments that may wait, in batches: bounds memory, and is what lengths are sorted over
)


class Loop:
    """The recogniser at work."""

    def __init__(self, channel: Channel, engine: Engine, setup: Setup) -> None:
        self._channel = channel
        self._engine = engine
        self._gate = Gate(engine.decoder)
        self._pool = Pool(most_s=max(LOOKAHEAD_BATCHES * engine.full_bound_s, 240.0))
        self._feeder = Feeder(
            self._pool,
            lambda job: engine.begin_detector(job.profile),
            engine.decoder.prepare,
            setup.ffmpeg,
            setup.max_duration_s,
            threads=engine.feeders,
        )
        self._jobs: dict[int, Job] = {}
        self._receipts = Receipts()
        self._teller = Teller(engine, self._pool, self._receipts, setup.speaker_model)
        self._voices = VoiceStage(setup.speaker_folder, engine.device, engine.threads, self.note)
        self._captions = Captions(
            engine, self._gate, self._voices, channel.send, self.note, self._somebody_speaks
        )
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until told to stop."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()
        self._feeder.start()
        self._teller.start()
        while not self._stopping.is_set():
            self._step()
        self._teller.finish()
        for job in list(self._jobs.values()):
            job.end()

    def _step(self) -> None:
        """Recognise what is next: of whoever speaks, else of the queue; in turn where live work is behind."""
        has_served = self._captions.serve(queue_waits=self._pool.is_waiting)
        if has_served and not (self._captions.is_behind and self._pool.is_waiting):
            return
        is_over = self._stopping.is_set if has_served else self._has_else_to_do
        batch = self._pool.take(self._bound_s(), self._engine.most_in_batch, is_over)
        if batch:
            self._await_receipts(batch)
        if batch and not self._stopping.is_set():
            self._recognise(batch)

    def _bound_s(self) -> float:
        """Return the bound of the next batch: while somebody speaks, it is short."""
        full_s = self._engine.limit.bound_s
        return self._captions.pace.bound_s(full_s) if self._captions.are_open else full_s

    def _has_else_to_do(self) -> bool:
        return self._stopping.is_set() or self._captions.have_work

    def _await_receipts(self, batch: list[Waiting]) -> None:
        """Wait until what was said of the batch's recordings is committed; speakers do not wait for it."""
        orders = {one.job.order for one in batch}
        while not self._stopping.is_set():
            is_free = self._receipts.wait(orders, self._has_else_to_do)
            if not self._captions.serve(queue_waits=True) and is_free:
                return

    def _somebody_speaks(self) -> None:
        """Let the device's thread look, if it waits for something else."""
        if self._captions.have_work:
            self._pool.wake()
            self._receipts.wake()

    def _recognise(self, batch: list[Waiting]) -> None:
        """Recognise one batch; the teller goes on from there."""
        began = time.perf_counter()
        try:
            spoken = self._engine.decoder.transcribe([one.ready for one in batch], batch[0].request)
            spoken = [self._credible(one, said) for one, said in zip(batch, spoken, strict=True)]
        except Exception as error:  # noqa: BLE001 (the border of the jobs in this batch)
            for job in {one.job for one in batch}:
                job.fail(error)
                self._pool.drop(job)
            return
        asr_s = time.perf_counter() - began
        voices = self._voices.embed(batch)
        spent_s = time.perf_counter() - began
        self._captions.pace.was_recognised(len(batch) * max(one.length_s for one in batch), spent_s)
        self._channel.send(Computed(round(spent_s * 1000)))
        self._teller.add(Heard(batch, spoken, voices, asr_s, spent_s - asr_s))

    def _credible(self, one: Waiting, said: Spoken) -> Spoken:
        """Pass a segment through the gate, and say what came of it."""
        kept = self._gate.check(one.stretch.samples, said, one.request)
        if kept is not said:
            place = {"job": one.job.id, "start_ms": one.stretch.start_ms, "end_ms": one.stretch.end_ms}
            self.note("warning", "text_doubted", {**place, "flags": list(kept.flags)})
        return kept

    def _read(self) -> None:
        """Take orders until the daemon is gone; without it there is nobody to work for."""
        try:
            while (received := self._channel.receive()) is not None:
                self._obey(*received)
        except (EOFError, OSError):
            os._exit(0)
        except ValueError as error:
            self.note("error", "order_not_understood", {"error": str(error)})
            os._exit(1)

    def _obey(self, message: object, fd: int | None) -> None:
        match message:
            case Recognise() if fd is not None:
                self._begin(message, fd)
            case Cancel(order=number):
                if job := self._jobs.pop(number, None):
                    job.end()
                    self._pool.drop(job)
            case Listen() if fd is not None:
                self._captions.open(message, fd)
            case Saved(order=number):
                self._receipts.arrived(number)
            case Stop():
                self._stopping.set()
                self._pool.close()
                self._receipts.wake()

    def _begin(self, order: Recognise, fd: int) -> None:
        self._jobs = {number: job for number, job in self._jobs.items() if job.is_open}
        request = self._engine.request(order.profile)
        if unknown := self._engine.unknown_hotwords(request):
            # how many, not which: the list stays out of the log, `hotwords check` names them
            self.note("warning", "hotwords_unknown_to_model", {"job": order.job, "count": len(unknown)})
        if left_out := len(order.profile.hotwords) - len(request.hotwords):
            fields: dict[str, object] = {
                "job": order.job,
                "given": len(request.hotwords),
                "left_out": left_out,
            }
            self.note("info" if request.hotwords else "debug", "hotwords_left_to_correction", fields)
        job = Job(order, request, fd, self._engine.postprocessor(order.profile), self._say)
        self._jobs[order.order] = job
        self._feeder.add(job)

    def _say(self, message: Message) -> None:
        if isinstance(message, Recognised):
            self._receipts.expect(message.order)
        self._channel.send(message)

    def note(self, level: str, event: str, fields: dict[str, object]) -> None:
        """Send a line for the daemon's log."""
        self._channel.send(Note(level, event, fields))
