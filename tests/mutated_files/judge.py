"""What a mutated file must do: compile, or be refused with a short message, in bounded time and memory."""

import contextlib
import io
import json
import os
import resource
import signal
import tempfile
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from types import FrameType

from c4ml_xdsl.compiler import compile
from c4ml_xdsl.errors import C4mlError, VerificationError

SECONDS = 10
MEGABYTES = 1024
LINES = 6
ADDRESS_SPACE = 6 << 30
"""What a process may map beyond what it has: far above the limit that is measured, far below the machine."""

VECTORS = 8


@dataclass
class Verdict:
    """How a file came out: `outcome` is "compiled", a kind of C4mlError, or what is wrong."""

    outcome: str
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def fault(self) -> bool:
        """Whether it did what no file may do."""
        return self.outcome.startswith("fault")


class TooSlow(BaseException):
    """Raised by the alarm; not an Exception, so that nobody swallows it."""


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlow


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def judge(data: bytes) -> Verdict:
    """Compiles a file in this process."""
    before, start, printed = _peak(), time.perf_counter(), io.StringIO()
    previous = signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(SECONDS)
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            warnings.simplefilter("always")
            verdict = _compile(data)
    except TooSlow:
        verdict = Verdict("fault: too slow", traceback.format_exc())
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    verdict.seconds, verdict.megabytes = time.perf_counter() - start, _peak() - before
    if not verdict.fault:
        if verdict.megabytes > MEGABYTES:
            verdict = Verdict("fault: memory", verdict.text, verdict.seconds, verdict.megabytes)
        elif verdict.seconds > SECONDS:
            verdict = Verdict("fault: too slow", verdict.text, verdict.seconds, verdict.megabytes)
        elif caught or printed.getvalue():
            said = "; ".join(f"{each.filename}:{each.lineno}: {each.message}" for each in caught)
            verdict = Verdict("fault: prints", said + printed.getvalue(), verdict.seconds, verdict.megabytes)
    return verdict


def _compile(data: bytes) -> Verdict:
    try:
        compile(data, vectors=VECTORS, effort="fast")
    except VerificationError as error:
        return Verdict("fault: wrong result", str(error))
    except C4mlError as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                return Verdict("fault: memory", traceback.format_exc())
            cause = cause.__cause__ or cause.__context__
        if len(str(error).splitlines()) > LINES or not str(error).strip():
            return Verdict("fault: message", str(error))
        return Verdict(type(error).__name__, str(error))
    except Exception:
        return Verdict("fault: traceback", traceback.format_exc())
    return Verdict("compiled")


def judge_apart(data: bytes) -> Verdict:
    """Compiles a file in a child of this process, which survives a crash or a loop in C code."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                os.dup2(errors.fileno(), 2)
                mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (mapped + ADDRESS_SPACE, resource.RLIM_INFINITY))
                file.write(json.dumps(asdict(judge(data))).encode())
                file.flush()
            os._exit(0)
        deadline = time.monotonic() + SECONDS + 5
        ended, status = os.waitpid(child, os.WNOHANG)
        while not ended and time.monotonic() < deadline:
            time.sleep(0.002)
            ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Verdict("fault: too slow", "in code that can't be interrupted", SECONDS + 5)
        file.seek(0)
        errors.seek(0)
        said, printed = file.read(), errors.read().decode(errors="replace")
    if not said:
        return Verdict("fault: crash", f"status {status}\n{printed}")
    verdict = Verdict(**json.loads(said))
    if printed and not verdict.fault:
        verdict = Verdict("fault: prints", printed, verdict.seconds, verdict.megabytes)
    return verdict
