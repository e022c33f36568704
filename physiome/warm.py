"""Many small jobs without starting Python anew for each: `python -m physiome.warm COMMAND...`.

Torch, peft and scikit-learn take seconds to import, which is most of a job of the demo. Within
COMMAND, every `python -m physiome` of one thread is forked from a process that has imported them.
It computes the same: only the start is saved. Real runs have no use for it. Linux only; elsewhere
COMMAND runs as it is.

Three processes stand behind such a job. The *client* is the `python -m physiome` that was called:
it hands over its arguments, folder, environment and terminal, passes signals on, and ends as the
job ends. The *keeper*, forked for this job, waits for both. The *job* is the keeper's child.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import FrameType

VARIABLE = "PHYSIOME_WARM"  # in the environment: whose code is imported, and the socket to ask
PR_SET_PDEATHSIG = 1  # of Linux's prctl: a signal to get when the parent ends
IMPORTED = (
    "sklearn.linear_model", "sklearn.model_selection", "pyarrow.parquet", "matplotlib.figure",
    "physiome.nn.lora", "physiome.methods.build", "physiome.steps.train", "physiome.steps.probe",
)  # fmt: skip


def ask() -> int | None:
    """Have the command that was called forked, and wait for it.

    Returns:
        Its exit status, 128 + n after signal n; None where it must start by itself: nobody to ask,
        other code, or more than one thread, of which libraries must know when they are imported.
    """
    code, _, address = os.environ.get(VARIABLE, "").rpartition(":")
    if code != __file__ or os.environ.get("OMP_NUM_THREADS") != "1":
        return None
    with socket.socket(socket.AF_UNIX) as keeper:
        try:
            keeper.connect(address)
        except OSError:
            return None
        call = [sys.argv[1:], os.getcwd(), dict(os.environ)]
        socket.send_fds(keeper, [b"\0"], [0, 1, 2])
        keeper.sendall(json.dumps(call).encode() + b"\0")

        def pass_on(number: int, _: FrameType | None) -> None:
            with suppress(OSError):
                keeper.sendall(bytes([number]))

        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, pass_on)
        answer = keeper.recv(1)
    return answer[0] if answer else 128 + signal.SIGKILL


def serve(listener: socket.socket) -> None:
    """Import everything once, then fork a keeper for every client. Ends only by a signal."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers leave nothing to wait for
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # clients pass it on
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # or each job, when it ends, looks through all of this for garbage: seconds
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os._exit(_keep(client))
        client.close()


def _keep(client: socket.socket) -> int:
    """Fork the job a client asks for and tell the client how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    files = socket.recv_fds(client, 1, 3, 0)[1]
    call = b""
    while not call.endswith(b"\0"):
        piece = client.recv(1 << 16)
        if not piece:
            return 1  # the client was killed
        call += piece
    job = os.fork()
    if job == 0:
        client.close()
        arguments, folder, environment = json.loads(call[:-1])
        _become(arguments, folder, environment, files)
    ended = os.pidfd_open(job)
    watched = [ended, client]
    while ended not in (ready := select.select(watched, [], [])[0]):
        numbers = ready[0].recv(8)
        for number in numbers or [signal.SIGTERM]:  # nothing to read: the client was killed
            os.kill(job, number)
        if not numbers:
            watched.remove(client)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    with suppress(OSError):
        client.sendall(bytes([status if status >= 0 else 128 - status]))
    return 0


def _become(arguments: list[str], folder: str, environment: dict[str, str], files: list[int]):
    """Be the command that was called, in this process, to its end."""
    os.setpgid(0, 0)  # Ctrl-C comes by way of the client, once
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    from physiome.cli import main

    main()
    sys.exit()


def run(command: list[str]) -> int:
    """Run a command with a process to fork from beside it; return the command's exit status."""
    if not hasattr(os, "pidfd_open"):
        return subprocess.call(command)
    folder = Path(tempfile.mkdtemp(prefix="physiome-"))  # nobody else may enter it
    address = str(folder / "warm")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        server = os.fork()
        if server == 0:
            os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
            serve(listener)
    signal.signal(signal.SIGINT, lambda *_: None)  # the command's to answer
    try:
        process = subprocess.Popen(command, env=os.environ | {VARIABLE: f"{__file__}:{address}"})
        signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
        return process.wait()
    finally:
        os.kill(server, signal.SIGTERM)
        os.waitpid(server, 0)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
