"""The one thread that touches the model: requests come in, tokens go out, all side by side."""

import queue
import threading
import traceback
from collections.abc import Callable

import paddle

from paddle_impl.decoding.batch import Batch
from paddle_impl.decoding.decoder import Decoder
from paddle_impl.serving.errors import RequestError, model_failed, shutting_down
from paddle_impl.serving.job import Job


class Engine:
    """Jobs may be submitted and cancelled from any thread.

    make_decoder: called in the engine's thread, at the start and after a failure, which leaves the
    rows of a decoder in an unknown state. A step that fails ends the jobs under way, not the
    engine; a decoder that cannot be made again ends both. on_end: called in the engine's thread,
    last.
    """

    def __init__(self, make_decoder: Callable[[], Decoder],
                 on_end: Callable[[], None] = lambda: None):
        self._make_decoder, self._on_end = make_decoder, on_end
        self._inbox: queue.SimpleQueue[tuple[str, Job | None]] = queue.SimpleQueue()
        self._jobs: dict[Job, int] = {}  # prompts of each that are not done
        self._owner: dict[object, Job] = {}  # of each prompt state
        self._lock = threading.Lock()  # nothing is put into the inbox of an engine that has ended
        self._ended = False
        self.error: BaseException | None = None
        self._device = paddle.get_device()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Once there is a decoder; what its making raises, is raised here."""
        self._thread.start()
        self._begun.wait()
        if self.error is not None:
            raise self.error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._ended

    def submit(self, job: Job) -> None:
        if not self._put("add", job):
            job.fail(model_failed() if self.error else shutting_down())

    def cancel(self, job: Job) -> None:
        """Free the job's rows; one that is done or unknown is no error."""
        self._put("cancel", job)

    def close(self) -> None:
        """End the jobs under way with 503, and the thread after the step that it is in."""
        self._put("close", None)
        self._thread.join()

    def _put(self, what: str, job: Job | None) -> bool:
        with self._lock:
            if not self._ended:
                self._inbox.put((what, job))
            return not self._ended

    def _run(self) -> None:
        try:
            # A thread starts on the first device, whatever the others were told.
            paddle.set_device(self._device)
            self._batch = Batch(self._make_decoder())
        except BaseException as error:
            self.error, self._ended = error, True
            return
        finally:
            self._begun.set()
        try:
            while self._take_in():
                self._step()
        except BaseException as error:
            self.error = error
            traceback.print_exc()
        self._end(model_failed() if self.error else shutting_down())

    def _take_in(self) -> bool:
        """What has come; with nothing to compute, wait for it. False: it is time to end."""
        while True:
            try:
                what, job = self._inbox.get(block=not self._jobs)
            except queue.Empty:
                return True
            if what == "close":
                return False
            if what == "add":
                self._add(job)
            elif job in self._jobs:
                self._forget(job)

    def _add(self, job: Job) -> None:
        self._jobs[job] = len(job.prompt_states)
        for state in job.prompt_states:
            self._owner[state] = job
            self._batch.add(state)

    def _forget(self, job: Job) -> None:
        del self._jobs[job]
        for state in job.prompt_states:
            if self._owner.pop(state, None):
                self._batch.cancel(state)

    def _step(self) -> None:
        finished = self._finished()
        if finished is None:
            self._fail_all(model_failed())
            self._batch = None  # before the new one, or there is memory for two
            self._batch = Batch(self._make_decoder())
            return
        for state in finished:
            job = self._owner.pop(state)
            self._jobs[job] -= 1
            if not self._jobs[job]:
                del self._jobs[job]
                job.done()

    def _finished(self) -> list | None:
        """The prompt states that this step has ended; None where it failed."""
        try:
            return self._batch.step()
        except Exception:
            traceback.print_exc()
            return None

    def _fail_all(self, error: RequestError) -> None:
        jobs = list(self._jobs)
        self._jobs.clear()
        self._owner.clear()
        for job in jobs:
            job.fail(error)

    def _end(self, error: RequestError) -> None:
        with self._lock:
            self._ended = True
        self._fail_all(error)
        while not self._inbox.empty():
            what, job = self._inbox.get()
            if what == "add":
                job.fail(error)
        self._batch = None  # the cache with it
        self._on_end()
