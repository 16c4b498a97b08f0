"""
Carrying what a module writes from a pipe to its log, where the module cannot write the log itself.

The pump is a process of its own, so that the module never waits for a supervisor that is gone. The module holds the
pipe open for reading too: with everybody else killed it is never told that the pipe is broken, and at worst waits until
the next pump goes on where the last one stopped.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import time

from las_jupyter.logs.piece_writer import PieceWriter

_PIPE_SIZE = 1 << 20
_SET_PIPE_SIZE = 1031
_NAME = "las-pump"
_PAUSE = 0.001
# Who writes line by line is held up by a reader that wakes for each line: a millisecond gathers them.
_WORTHWHILE, _GATHER = 8 * 1024, 0.001
_LAST_WORDS = 1.2  # less than a client waits for an answer
_DEAD_WITHIN = 0.3
_NO_SPLICE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Pump:
    """The pump of one start: from the pipe ``pipe`` to the log in pieces ``log``, of which ``keep`` bytes are kept."""

    def __init__(self, pipe: str, log: str, keep: int) -> None:
        self._pipe, self._log, self._keep = pipe, log, keep
        self._reader = -1
        self._pid = 0
        self._patience = _LAST_WORDS

    def begin(self) -> int:
        """Make the pipe and begin to pump; a descriptor for the module to write to. Raises ``OSError``."""
        self.forget()
        os.mkfifo(self._pipe, 0o600)
        self._open(self._pipe)
        # For reading too: a pipe the module itself can read is never broken.
        writer = os.open(self._pipe, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE_SIZE)
        except OSError:
            pass  # above what this user may have: a smaller pipe pumps as well
        try:
            self._fork()
        except OSError:
            os.close(writer)
            raise
        return writer

    def adopt(self, pid: int | None) -> None:
        """Take over from a dead supervisor the pipe that process ``pid`` writes to. Raises ``OSError``."""
        try:
            self._open(self._pipe)
        except OSError:
            self._open(f"/proc/{pid}/fd/1")
        self._end_others()
        self._fork()

    def forget(self) -> None:
        """Remove what is left of a pipe that nobody writes to any more."""
        try:
            os.unlink(self._pipe)
        except OSError:
            pass

    def tend(self) -> None:
        """Pump again when the pump was killed; the pipe has kept what came meanwhile."""
        if self._reader >= 0 and self._ended() and not self._empty_for_good():
            try:
                self._fork()
            except OSError:
                pass  # no room for a process now; this is called again

    def drain(self) -> None:
        """Wait until all that was written is in the log; the waits for one start take a moment at most."""
        while self._waiting() and self._wait():
            self.tend()

    def end(self) -> None:
        """The module is gone: see the pump end, or end it where it hangs or a stranger got hold of the pipe."""
        if self._reader < 0:
            return
        self.drain()
        while not self._ended() and self._wait():
            pass
        self._kill()
        self._end_others()
        os.close(self._reader)
        self._reader = -1
        self.forget()

    # ---- the process

    def _open(self, path: str) -> None:
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self._reader, True)

    def _fork(self) -> None:
        """In our own session, which the search for what a module left passes over."""
        pid = os.fork()
        if pid:
            self._pid = pid
            return
        try:
            reader = _be_alone(self._reader)
            # Of two pumps one waits; the lock is on the pipe, for any other file may be deleted and made anew.
            fcntl.flock(reader, fcntl.LOCK_EX)
            carry(reader, PieceWriter(self._log, self._keep))
        finally:
            os._exit(0)

    def _wait(self) -> bool:
        """Wait a little; False when the pump was waited for long enough. One that hangs is replaced at half time."""
        before, begun = self._patience, time.monotonic()
        time.sleep(_PAUSE)
        self._patience -= time.monotonic() - begun
        if before > _LAST_WORDS / 2 >= self._patience and self._waiting():
            self._kill()
            self._end_others()
        return self._patience > 0

    def _ended(self) -> bool:
        if self._pid == 0:
            return True
        try:
            done, _ = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            done = self._pid
        if done:
            self._pid = 0
        return self._pid == 0

    def _kill(self) -> None:
        if self._ended():
            return
        os.kill(self._pid, signal.SIGKILL)  # our own unreaped child
        until = time.monotonic() + _DEAD_WITHIN
        while not self._ended() and time.monotonic() < until:  # what hangs in the disk does not even hear KILL
            time.sleep(_PAUSE)

    def _end_others(self) -> None:
        """End the pump of a supervisor before us: whoever of our name holds the lock on this very pipe."""
        for pid in holders(self._reader):
            if pid == self._pid:
                continue
            try:
                handle = os.pidfd_open(pid)
            except OSError:
                continue
            try:
                if pid in holders(self._reader):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    select.select([handle], [], [], _DEAD_WITHIN)
            except OSError:
                pass  # it ended meanwhile
            finally:
                os.close(handle)

    def _waiting(self) -> bool:
        return self._reader >= 0 and bool(self._events() & select.POLLIN)

    def _empty_for_good(self) -> bool:
        """Nobody can write any more and all was read: the pump was right to end."""
        return not self._waiting() and bool(self._events() & select.POLLHUP)

    def _events(self) -> int:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        return dict(poll.poll(0)).get(self._reader, 0)


def holders(pipe: int) -> list[int]:
    """The pumps that hold the lock on the pipe of descriptor ``pipe``, by what the kernel says of its locks."""
    inode = str(os.fstat(pipe).st_ino)
    try:
        with open("/proc/locks") as file:
            rows = [line.split() for line in file]
    except OSError:
        return []
    # 1: FLOCK ADVISORY WRITE 815 fd:01:4711 0 EOF; one that waits has an arrow after its number
    locks = [row for row in rows if len(row) == 8 and row[1] == "FLOCK" and row[5].rpartition(":")[2] == inode]
    return [int(row[4]) for row in locks if _is_pump(row[4])]


def _is_pump(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip() == _NAME
    except OSError:
        return False


def carry(pipe: int, log: PieceWriter) -> None:
    """
    From ``pipe`` to ``log`` until nobody can write into it any more.

    What the disk has no room for is dropped and counted, for the module must not wait for a disk; the log tells.
    """
    spliced, lost = True, 0
    while True:
        if lost:
            select.select([pipe], [], [])  # it is told before what comes next
            lost = _tell_lost(log, lost)
        try:
            if spliced:
                taken = log.take(pipe)
                if taken == 0:
                    break
                if taken < _WORTHWHILE:
                    time.sleep(_GATHER)
                continue
        except OSError as error:
            spliced = error.errno not in _NO_SPLICE
        data = os.read(pipe, _PIPE_SIZE)
        if not data:
            break
        lost += len(data) if spliced else _write(log, data)
    if lost:
        _tell_lost(log, lost)


def _write(log: PieceWriter, data: bytes) -> int:
    """Append ``data``; how many bytes of it found no room."""
    while data:
        try:
            data = data[log.write(data) :]
        except OSError:
            break
    return len(data)


def _tell_lost(log: PieceWriter, lost: int) -> int:
    """Say in the log what it lacks, once there is room; what is still to be told."""
    return lost if _write(log, f"\n[las] {lost} bytes were lost here: the disk had no room\n".encode()) else 0


def _be_alone(reader: int) -> int:
    """
    Let go of everything that is the supervisor's: its lock above all, which lives as long as a descriptor of it.

    Returns a descriptor of the pipe that is ours alone, as a lock on it must be.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with open("/proc/self/comm", "w") as file:
        file.write(_NAME)
    own = os.open(f"/proc/self/fd/{reader}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(own, True)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != own:
            try:
                os.close(int(name))
            except OSError:
                pass  # the listing itself
    return own
