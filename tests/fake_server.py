"""
A small server with bad habits, run as ``python -I -S fake_server.py WORD…``. Each word is ``habit`` or ``habit=value``.

port=N          answer HTTP on 127.0.0.1:N            ready_after=S   503 before that many seconds
says=TEXT       write TEXT and a line end first       hang=PATH_FILE  accept and never answer while that file exists
status=FILE     answer with the code in that file     ends=S:CODE     end by itself after S seconds
after_file=FILE:CODE  end when that file appears      dies=SIGNAL     end by that signal
deaf            ignore TERM and INT                   stop_takes=S    need S seconds to stop; a second TERM: code 99
daemon=FILE     a double-forked, setsid child that writes its pid into FILE and holds the log open
child=FILE      a child in the same group             zombie          a child that ended and is never reaped
hop=S           for S seconds: fork, setsid, let the parent end, every 0.3 ms
flood=BYTES     write that much in 100-byte lines     raw=HEX         write these bytes
last_words      60 KB and _exit(3) at once            memory=MB       hold that much memory
env=FILE        write the environment into FILE       title           overwrite command line and environment
beat=FILE       append one byte to FILE every 20 ms   endless         answer with a body that never ends
metrics=FILE    answer /metrics with what is in FILE  host=ADDRESS    listen there and not on 127.0.0.1
leaves_port=FILE  stop listening once FILE exists     gets=FILE       append what it is asked to FILE
also=ADDRESS:N  listen there, too                     also_in=child   in a child process
also_after=FILE once FILE exists                      drops=UID       go on as that user
quiet           do not write 'up' when there is no port
busy            use CPU without end
"""

import ctypes
import os
import signal
import socket
import sys
import time

words = dict(word.partition("=")[::2] for word in sys.argv[1:])
began = time.monotonic()
terms = 0


def out(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def on_term(number: int, frame: object) -> None:
    global terms
    terms += 1
    out(b"got a stop signal\n")
    if "stop_takes" in words:
        if terms > 1:
            os._exit(99)
        return
    os._exit(0)


def daemon(path: str) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(0.02)
        if words.get("daemon_writes"):
            out(b"daemon line\n")


def hop(seconds: float) -> None:
    if os.fork():
        return
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.setsid()
        time.sleep(0.0003)
    os._exit(0)


def set_title() -> None:
    libc = ctypes.CDLL(None)
    with open("/proc/self/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    # fields 48..51 of proc(5): arg_start, arg_end, env_start, env_end
    begin, end = int(fields[45]), int(fields[48])
    ctypes.memset(begin, 0, end - begin)
    ctypes.memmove(begin, b"engine core", 11)
    libc.prctl(15, b"enginecore", 0, 0, 0)


def answer(connection: socket.socket) -> None:
    connection.settimeout(2)
    try:
        request = connection.recv(4096)
        if "gets" in words:
            with open(words["gets"], "ab") as file:
                file.write(request)
        if request.startswith(b"GET /metrics "):
            with open(words["metrics"], "rb") as page:
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + page.read())
            connection.close()
            return
        if words.get("hang") and os.path.exists(words["hang"]):
            held.append(connection)
            return
        code = 200
        if time.monotonic() - began < float(words.get("ready_after", 0)):
            code = 503
        if words.get("status") and os.path.exists(words["status"]):
            with open(words["status"]) as file:
                code = int(file.read() or 200)
        head = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nLocation: http://192.0.2.1/\r\n\r\nok" % code
        if "endless" in words:
            head = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000_000
        connection.sendall(head)
    except OSError:
        pass
    connection.close()


def serve_on(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    made.listen(64)
    return made


def listen_also() -> None:
    host, _, port = words.pop("also").rpartition(":")
    if words.get("also_in") == "child" and os.fork():
        return
    held.append(serve_on(host, int(port)))
    if words.get("also_in") == "child":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            time.sleep(1)


held = []
if "drops" in words:
    os.setgid(int(words["drops"]))
    os.setuid(int(words["drops"]))
if "env" in words:
    with open(words["env"], "w") as file:
        file.write("\n".join(f"{key}={value}" for key, value in sorted(os.environ.items())))
if "title" in words:
    set_title()
if "deaf" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, on_term)
if "says" in words:
    out(words["says"].encode() + b"\n")
if "raw" in words:
    out(bytes.fromhex(words["raw"]))
if "daemon" in words:
    daemon(words["daemon"])
if "child" in words:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            time.sleep(1)
    with open(words["child"], "w") as file:
        file.write(str(child))
if "zombie" in words and os.fork() == 0:
    os._exit(0)
if "hop" in words:
    hop(float(words["hop"]))
if "flood" in words:
    count, line = int(words["flood"]) // 100, b"x" * 90 + b" %08d\n"
    for number in range(count):
        os.write(1, line % number)
if "last_words" in words:
    out(b"y" * 60_000 + b"\nlast line\n")
    os._exit(3)
if "memory" in words:
    ballast = bytearray(int(words["memory"]) * 2**20)
    for at in range(0, len(ballast), 4096):
        ballast[at] = 1
if "dies" in words:
    signal.signal(signal.Signals[words["dies"]], signal.SIG_DFL) if words["dies"] != "SIGKILL" else None
    os.kill(os.getpid(), signal.Signals[words["dies"]])

listening = None
if "port" in words:
    listening = serve_on(words.get("host", "127.0.0.1"), int(words["port"]))
    listening.settimeout(0.02)
if "port" not in words and "quiet" not in words:
    out(b"up\n")

while True:
    if "also" in words and ("also_after" not in words or os.path.exists(words["also_after"])):
        listen_also()
    if listening is not None and "leaves_port" in words and os.path.exists(words["leaves_port"]):
        listening.close()
        listening = None
    if listening is not None:
        try:
            answer(listening.accept()[0])
        except OSError:
            pass
    elif "busy" not in words:
        time.sleep(0.02)
    if "beat" in words:
        with open(words["beat"], "ab") as file:
            file.write(b".")
    if "ends" in words:
        seconds, _, code = words["ends"].partition(":")
        if time.monotonic() - began >= float(seconds):
            os._exit(int(code))
    if "after_file" in words:
        path, _, code = words["after_file"].rpartition(":")
        if os.path.exists(path):
            os._exit(int(code))
    if terms and "stop_takes" in words:
        until = time.monotonic() + float(words["stop_takes"])
        while time.monotonic() < until:
            time.sleep(0.02)
        os._exit(0)
