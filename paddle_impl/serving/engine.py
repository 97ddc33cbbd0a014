"""The one thread that uses the models. It computes all requests side by side."""

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
    """Computes jobs, which may be submitted and cancelled from any thread while it runs.

    make_decoders: one for each model, which take turns, a step each. They are called in the
    engine's thread, at the start and after a step that failed, for such a step leaves the rows of a
    decoder in an unknown state. It ends the model's jobs under way, and the engine goes on; if no
    decoder can be made again, the engine ends, too. on_end: called in the engine's thread as the
    last thing.
    """

    def __init__(self, *make_decoders: Callable[[], Decoder],
                 on_end: Callable[[], None] = lambda: None):
        self._make_decoders, self._on_end = make_decoders, on_end
        self._inbox: queue.SimpleQueue[tuple[str, Job | None, int]] = queue.SimpleQueue()
        self._jobs: dict[Job, int] = {}  # how many prompts of each job are not done
        self._model: dict[Job, int] = {}  # the number of each job's model
        self._owner: dict[object, Job] = {}  # the job of each prompt state
        self._lock = threading.Lock()  # nothing is put into the inbox of an engine that has ended
        self._ended = False
        self.error: BaseException | None = None
        self._device = paddle.get_device()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the thread and wait for its decoder; an error in making it is raised here."""
        self._thread.start()
        self._begun.wait()
        if self.error is not None:
            raise self.error

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._ended

    def submit(self, job: Job, model: int = 0) -> None:
        """model: the number of its decoder."""
        if not self._put("add", job, model):
            job.fail(model_failed() if self.error else shutting_down())

    def cancel(self, job: Job) -> None:
        """Free the job's rows; one that is done or unknown is no error."""
        self._put("cancel", job)

    def close(self) -> None:
        """End the jobs under way with status 503, and the thread once its present step is over."""
        self._put("close", None)
        self._thread.join()

    def _put(self, what: str, job: Job | None, model: int = 0) -> bool:
        with self._lock:
            if not self._ended:
                self._inbox.put((what, job, model))
            return not self._ended

    def _run(self) -> None:
        try:
            # A new thread uses the first device, whatever device other threads have set.
            paddle.set_device(self._device)
            self._batches = [Batch(make()) for make in self._make_decoders]
        except BaseException as error:
            self.error, self._ended = error, True
            return
        finally:
            self._begun.set()
        try:
            while self._take_in():
                for model in range(len(self._batches)):
                    self._step(model)
        except BaseException as error:
            self.error = error
            traceback.print_exc()
        self._end(model_failed() if self.error else shutting_down())

    def _take_in(self) -> bool:
        """Handle all that is in the inbox; wait for something while there is nothing to compute.

        Returns False when the engine is to end.
        """
        while True:
            try:
                what, job, model = self._inbox.get(block=not self._jobs)
            except queue.Empty:
                return True
            if what == "close":
                return False
            if what == "add":
                self._add(job, model)
            elif job in self._jobs:
                self._forget(job)

    def _add(self, job: Job, model: int) -> None:
        self._jobs[job], self._model[job] = len(job.prompt_states), model
        for state in job.prompt_states:
            self._owner[state] = job
            self._batches[model].add(state)

    def _forget(self, job: Job) -> None:
        del self._jobs[job]
        batch = self._batches[self._model.pop(job)]
        for state in job.prompt_states:
            if self._owner.pop(state, None):
                batch.cancel(state)

    def _step(self, model: int) -> None:
        finished = self._finished(model)
        if finished is None:
            self._fail(model, model_failed())
            # Freed before the next one is made, which needs as much memory.
            self._batches[model] = None
            self._batches[model] = Batch(self._make_decoders[model]())
            return
        for state in finished:
            job = self._owner.pop(state)
            self._jobs[job] -= 1
            if not self._jobs[job]:
                del self._jobs[job], self._model[job]
                job.done()

    def _finished(self, model: int) -> list | None:
        """Make a step and return the prompt states that it has ended; None where it failed."""
        try:
            return self._batches[model].step()
        except Exception:
            traceback.print_exc()
            return None

    def _fail(self, model: int, error: RequestError) -> None:
        for job in [job for job, own in self._model.items() if own == model]:
            del self._jobs[job], self._model[job]
            for state in job.prompt_states:
                self._owner.pop(state, None)
            job.fail(error)

    def _end(self, error: RequestError) -> None:
        with self._lock:
            self._ended = True
        for model in range(len(self._make_decoders)):
            self._fail(model, error)
        while not self._inbox.empty():
            what, job, _ = self._inbox.get()
            if what == "add":
                job.fail(error)
        self._batches = []  # frees the key-value caches, too
        self._on_end()
