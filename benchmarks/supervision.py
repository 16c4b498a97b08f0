"""
What supervision costs, side by side with doing without and with other supervisors, in one run.

``python benchmarks/supervision.py [--tools FOLDER] [--lines N] [--instances N] [--megabytes N] [--rounds N]``

supervisord and circus are installed from PyPI and pm2 from npm into FOLDER (by default a scratch folder). What is not
to be had on a machine is reported as missing. Other work on the machine shows in the figures: compare rows of one run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from las_jupyter.core.launch import HttpProbe, LaunchSpec, LogRule, Port, ReadyRule, StopRule
from las_jupyter.core.states import LogCapture, Mode
from las_jupyter.limits.tree import read_process
from las_jupyter.limits.usage import proportional_memory
from las_jupyter.logs import pieces
from las_jupyter.logs.reader import LogReader
from las_jupyter.runtime.manager import Manager
from las_jupyter.state.paths import StatePaths

WRITER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
int main(int count, char **word) {
    static char block[100 * 655]; long lines = atol(word[1]), at_once = atol(word[2]); double begun = now();
    for (long at = 0; at < lines;) {
        long some = 0;
        for (; some < at_once && at < lines; some++, at++) {
            char *line = block + 100 * some;
            snprintf(line, 11, "%09ld ", at); memset(line + 10, 'x', 89); line[99] = '\n';
        }
        for (long done = 0; done < 100 * some;) { ssize_t n = write(1, block + done, 100 * some - done);
                                                  if (n < 0) return 3; done += n; }
    }
    FILE *told = fopen(word[3], "w"); fprintf(told, "%.6f", now() - begun); fclose(told);
    pause(); return 0;
}
"""
FIRST = "import time; open({path!r}, 'w').write(str(time.time())); time.sleep(600)"
SERVER = """
import socket, time
time.sleep(0.5)
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", {port})); s.listen()
open({path!r}, "w").write(str(time.time()))
while True:
    c, _ = s.accept(); c.recv(4096); c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close()
"""
ENDING = """
import os, signal, time
def end(*_):
    open({path!r}, "w").write(str(time.time())); os._exit(0)
signal.signal(signal.SIGTERM, end); print("up", flush=True)
while True: signal.pause()
"""


def row(what: str, value: str, beside: str = "", aim: str = "") -> None:
    """One row of the table."""
    print(f"{what:44}{value:>20}   {beside:38}{aim}", flush=True)


def told(path: Path, within: float = 120.0) -> str:
    """What is in the file once something is."""
    until = time.monotonic() + within
    while not (path.exists() and path.stat().st_size):
        if time.monotonic() > until:
            raise TimeoutError(f"nothing in {path.name} after {within:g} s")
        time.sleep(0.01)
    return path.read_text()


class Bench:
    """A scratch folder with a manager of its own."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.manager = Manager(StatePaths(str(folder / "state"), str(folder / "state" / "logs")))
        self.tools = Path(options.tools or folder / "tools")
        self._number = 0

    def fresh(self, name: str) -> Path:
        """A file that does not exist yet."""
        self._number += 1
        return self.folder / f"{name}-{self._number}"

    def start(self, name: str, *argv: str, **rules: object) -> None:
        """Start ``argv`` as an instance."""
        fields = {"stop": StopRule(grace=5.0), "fingerprint": repr(argv), **rules}
        self.manager.start(LaunchSpec(name, "bench", Mode.NATIVE, "native", argv, **fields), {})  # type: ignore[arg-type]

    def end(self, name: str) -> None:
        """Stop and forget it."""
        self.manager.stop(name, grace=5.0)
        self.manager.remove(name)


# ---- throughput


def writer(bench: Bench, at_once: int) -> list[str] | None:
    """The compiled writer of so many lines with one write, or None without a compiler."""
    if shutil.which("cc") is None:
        return None
    source, program = bench.folder / "writer.c", bench.folder / "writer"
    source.write_text(WRITER)
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return [str(program), str(bench.options.lines), str(at_once)]


def lost_and_torn(paths: list[Path], lines: int) -> tuple[int, int]:
    """Lines of the writer that are nowhere in the files, and lines in them that are no line of the writer."""
    seen, torn = bytearray(lines), 0
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if len(line) == 100 and line[:9].isdigit() and line.endswith(b"x\n") and int(line[:9]) < lines:
                    seen[int(line[:9])] = 1
                else:
                    torn += 1
    return seen.count(0), torn


def settled(path: Path) -> None:
    """Wait until the file has not grown for a second."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < 1.0:
        now = path.stat().st_size if path.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        time.sleep(0.05)


def plainly(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """``cmd > file``."""
    log, done = bench.fresh("plain"), bench.fresh("done")
    with log.open("wb") as out:
        process = subprocess.Popen([*argv, str(done)], stdout=out)
    took = float(told(done))
    process.kill()
    process.wait()
    return took, log


def by_las(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """As an instance, with a log bound above what is written."""
    done = bench.fresh("done")
    bench.start("flood", *argv, str(done), logs=LogRule(keep_starts=1))
    took, log = float(told(done)), Path(bench.manager.snapshot("flood").log_path)
    kept = bench.fresh("las")
    os.link(log, kept)
    bench.end("flood")
    return took, kept


def by_pump(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """As an instance whose log is carried by a pump, as on a file system without holes."""
    done = bench.fresh("done")
    bench.start("flood", *argv, str(done), logs=LogRule(keep_starts=1, capture=LogCapture.PUMP))
    took, log = float(told(done)), bench.manager.snapshot("flood").log_path
    kept = bench.fresh("pumped")
    bench.manager.stop("flood")
    kept.write_bytes(pieces.read(log, 0, pieces.size(log)))
    bench.end("flood")
    return took, kept


def by_supervisord(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """Under supervisord, without rotation."""
    log, done, home = bench.fresh("supervisord"), bench.fresh("done"), bench.fresh("home")
    home.mkdir()
    (home / "conf").write_text(
        f"[supervisord]\nnodaemon=true\nlogfile={home}/own\npidfile={home}/pid\n"
        f"[program:w]\ncommand={' '.join(argv)} {done}\nstdout_logfile={log}\nstdout_logfile_maxbytes=0\n"
    )
    program = str(bench.tools / "venv/bin/supervisord")
    return _under([program, "-c", str(home / "conf")], done, log)


def by_circus(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """Under circus, with its file stream."""
    log, done, home = bench.fresh("circus"), bench.fresh("done"), bench.fresh("home")
    home.mkdir()
    (home / "conf").write_text(
        f"[circus]\nendpoint=ipc://{home}/a\npubsub_endpoint=ipc://{home}/b\n"
        f"[watcher:w]\ncmd={' '.join(argv)} {done}\nstdout_stream.class=FileStream\nstdout_stream.filename={log}\n"
    )
    return _under([str(bench.tools / "venv/bin/circusd"), str(home / "conf")], done, log)


def by_pm2(bench: Bench, argv: list[str]) -> tuple[float, Path]:
    """Under pm2, with a home of its own."""
    log, done, home = bench.fresh("pm2"), bench.fresh("done"), bench.fresh("home")
    env = {**os.environ, "PM2_HOME": str(home)}
    program = str(bench.tools / "node_modules/.bin/pm2")
    quiet = subprocess.DEVNULL
    subprocess.run(
        [program, "start", argv[0], "--name", "w", "--interpreter", "none", "-o", str(log), "--", *argv[1:], str(done)],
        env=env, check=True, stdout=quiet, stderr=quiet,
    )  # fmt: skip
    try:
        took = float(told(done))
        settled(log)
        return took, log
    finally:
        subprocess.run([program, "kill"], env=env, check=False, stdout=quiet, stderr=quiet)


def _under(command: list[str], done: Path, log: Path) -> tuple[float, Path]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        took = float(told(done))
        settled(log)
        return took, log
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def install(tools: Path) -> None:
    """The other supervisors, as far as they can be had."""
    venv, quiet = tools / "venv", subprocess.DEVNULL
    if not (venv / "bin/supervisord").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False, stdout=quiet, stderr=quiet)
        wanted = ["supervisor", "circus", "setuptools"]
        subprocess.run([str(venv / "bin/python"), "-m", "pip", "install", "-q", *wanted], check=False, stderr=quiet)
    if not (tools / "node_modules/.bin/pm2").exists() and shutil.which("npm"):
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(tools), "pm2"]
        subprocess.run(command, check=False, stdout=quiet, stderr=quiet)


def throughput(bench: Bench) -> None:
    """Both ways in which programs write."""
    _throughput(bench, "line by line", 1)
    _throughput(bench, "in blocks", 655)


def _throughput(bench: Bench, how: str, at_once: int) -> None:
    """
    Lines of 100 bytes, so many with one write, through every way there is, in turn.

    With one write for each line the module's own system calls are the limit, and a pipe to a reader on an idle core
    takes them faster than a file does; with whole blocks, as programs write that do not flush each line, it is copying.
    """
    argv = writer(bench, at_once)
    if argv is None:
        row(f"throughput {how}", "missing: no C compiler")
        return
    install(bench.tools)
    ways: dict[str, tuple[Callable[[Bench, list[str]], tuple[float, Path]], Path | None]] = {
        "cmd > file": (plainly, None),
        "las": (by_las, None),
        "las with a pump": (by_pump, None),
        "supervisord": (by_supervisord, bench.tools / "venv/bin/supervisord"),
        "circus": (by_circus, bench.tools / "venv/bin/circusd"),
        "pm2": (by_pm2, bench.tools / "node_modules/.bin/pm2"),
    }
    rates: dict[str, list[float]] = {}
    harm: dict[str, tuple[int, int]] = {}
    for _ in range(bench.options.rounds):
        for name, (way, program) in ways.items():
            if program is not None and not program.exists():
                continue
            try:
                took, log = way(bench, argv)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"{name} could not be measured: {error}", file=sys.stderr)
                continue
            rates.setdefault(name, []).append(bench.options.lines / took / 1e4)
            lost, torn = lost_and_torn([log], bench.options.lines)
            before = harm.get(name, (0, 0))
            harm[name] = before[0] + lost, before[1] + torn
            log.unlink()
    for name in ways:
        if name not in rates:
            row(f"throughput {how}, {name}", "missing")
            continue
        ratio = statistics.median(mine / plain for mine, plain in zip(rates[name], rates["cmd > file"], strict=False))
        lost, torn = harm[name]
        aim = "aim: 0.95 or more, 0 lost, 0 torn" if name == "las" else ""
        value = f"{statistics.median(rates[name]):.0f} MB/s"
        row(f"throughput {how}, {name}", value, f"{ratio:.2f} of cmd > file; {lost} lost, {torn} torn", aim)


# ---- starting, stopping, being there


def starts(bench: Bench) -> None:
    """From the call to the module's first instruction, against Popen, in turn; and how soon ready is noticed."""
    ours, plain, ready, stops = [], [], [], []
    for _ in range(3 + bench.options.rounds * 2):
        path = bench.fresh("first")
        argv = (sys.executable, "-I", "-S", "-c", FIRST.format(path=str(path)))
        begun = time.time()
        bench.start("first", *argv)
        ours.append(float(told(path)) - begun)
        bench.end("first")
        path.unlink()
        begun = time.time()
        process = subprocess.Popen(argv)
        plain.append(float(told(path)) - begun)
        process.kill()
        process.wait()
        ready.append(_ready(bench))
        stops.append(_stop(bench))
    over = statistics.median(mine - bare for mine, bare in zip(ours, plain, strict=True)) * 1000
    row("start to first instruction", f"{statistics.median(ours) * 1000:.0f} ms",
        f"Popen {statistics.median(plain) * 1000:.0f} ms, {over:.0f} ms more", "aim: 70 ms more at most")  # fmt: skip
    row("ready noticed after listening", f"{statistics.median(ready) * 1000:.0f} ms", "", "aim: 100 ms at most")
    row("stop verified after the end", f"{statistics.median(stops) * 1000:.0f} ms", "", "aim: 50 ms at most")


def _ready(bench: Bench) -> float:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = bench.fresh("ready")
    program = SERVER.format(port=port, path=str(path))
    rule = ReadyRule(HttpProbe(path="/health"))
    bench.start("ready", sys.executable, "-I", "-S", "-c", program, ports=(Port("http", port, port),), ready=rule)
    snapshot = bench.manager.wait_ready("ready", timeout=20)
    bench.end("ready")
    return (snapshot.ready_at or 0.0) - float(path.read_text())


def _stop(bench: Bench) -> float:
    path = bench.fresh("ended")
    bench.start("ending", sys.executable, "-I", "-S", "-c", ENDING.format(path=str(path)))
    log = bench.manager.log("ending")
    while not log.size:
        time.sleep(0.005)
    bench.manager.stop("ending")
    took = time.time() - float(path.read_text())
    bench.manager.remove("ending")
    return took


def presence(bench: Bench) -> None:
    """Memory and CPU time of idle supervisors, and the status of many."""
    count = bench.options.instances
    for number in range(count):
        bench.start(f"idle-{number}", "sleep", "600")
        if number + 1 in {1, 20, 100}:
            times = []
            for _ in range(7):
                begun = time.perf_counter()
                assert len(bench.manager.snapshots()) == number + 1
                times.append(time.perf_counter() - begun)
            aim = "aim: 30 ms at most" if number + 1 == 100 else ""
            row(f"status of {number + 1}", f"{statistics.median(times) * 1000:.1f} ms", "", aim)
    pids = [snapshot.supervisor_pid for snapshot in bench.manager.snapshots() if snapshot.supervisor_pid]
    memory = [proportional_memory(pid) / 1e6 for pid in pids]
    row(
        "memory of a supervisor, PSS",
        f"{statistics.median(memory):.2f} MB",
        f"one of {len(pids)} at once",
        "aim: 6 MB at most",
    )
    time.sleep(10)  # what a start costs is not what being there costs
    before, begun = _ticks(pids), time.monotonic()
    time.sleep(20)
    share = (_ticks(pids) - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begun) / len(pids) * 100
    row("CPU of an idle supervisor", f"{share:.3f} %", "of a core", "aim: 0.1 % at most")
    for number in range(count):
        bench.end(f"idle-{number}")


def _ticks(pids: list[int]) -> int:
    found = [read_process(pid) for pid in pids]
    return sum(process.cpu_ticks for process in found if process)


# ---- reading


def reading(bench: Bench) -> None:
    """The end of a big log and a search through all of it, against tail and ripgrep."""
    path = bench.folder / "big.log"
    block = b"".join(
        b"INFO %06d request served in %d ms by worker %d " % (n, n % 97, n % 7) + b"." * 50 + b"\n"
        for n in range(10_000)
    )
    with path.open("wb") as file:
        while file.tell() < bench.options.megabytes * 10**6:
            file.write(block)
        file.write(b"ERROR needle in the hay\nlast\n")
        os.fsync(file.fileno())  # or the first reader pays for the writer
    log = LogReader(str(path))
    mine, theirs = _best(lambda: log.tail(100)), _best(lambda: _run("tail", "-n", "100", str(path)))
    size = f"{bench.options.megabytes} MB"
    row(f"tail of {size}", f"{mine * 1000:.1f} ms", f"tail {theirs * 1000:.1f} ms", "aim: 20 ms at most")
    with_rg = shutil.which("rg")
    for label, pattern in (
        ("a word", "ERROR needle"),
        ("a pattern", r"ERROR n\w+ in"),
        ("one of two words", "ERROR|FATAL"),
        ("letter case ignored", "(?i)error needle"),
    ):
        mine = _best(lambda wanted=pattern: log.grep(wanted, 10**6))
        beside = "ripgrep is missing"
        if with_rg:
            theirs = _best(lambda wanted=pattern: _run(with_rg, "--color=never", wanted, str(path)))
            beside = f"ripgrep {theirs:.2f} s, ratio {mine / theirs:.1f}"
        elif shutil.which("grep"):
            theirs = _best(lambda wanted=pattern: _run("grep", "-E", wanted, str(path)))
            beside += f"; grep -E {theirs:.2f} s"
        row(f"grep of {size}, {label}", f"{mine:.2f} s", beside, "aim: 3 x ripgrep at most")


def _best(what: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        what()
        times.append(time.perf_counter() - begun)
    return min(times)


def _run(*argv: str) -> None:
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--instances", type=int, default=100)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("throughput", "starts", "presence", "reading"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        try:
            for part in (throughput, starts, presence, reading):
                if options.only in (None, part.__name__):
                    part(bench)
        finally:
            for snapshot in bench.manager.snapshots():
                if snapshot.state.alive:
                    bench.manager.stop(snapshot.name, grace=1.0)


if __name__ == "__main__":
    main()
