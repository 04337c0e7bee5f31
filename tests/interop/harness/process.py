"""Programs under test: starting, watching, stopping, and what to say when they fail."""
import os
import signal
import socket
import subprocess
import time

# Sanitizer builds and loaded machines are slower: LAMPO_TIME_FACTOR=4.
TIME_FACTOR = float(os.environ.get("LAMPO_TIME_FACTOR", "1"))


class Failure(Exception):
    """The test found what must not be."""


class Skip(Exception):
    """This machine cannot run the test; the text says what is missing."""


def check(truth, text, *values):
    """An assertion that is never compiled away and says what it saw."""
    if not truth:
        raise Failure(text + (": " + ", ".join(repr(v) for v in values) if values else ""))


def check_equal(got, want, text):
    if got != want:
        raise Failure("%s: got %r, want %r" % (text, got, want))


def free_port():
    """A port that nobody listens on now.  Taken from below the range that the
    kernel hands to outgoing connections, or one of those could take it first."""
    for _ in range(1000):
        port = 10000 + int.from_bytes(os.urandom(2), "big") % 20000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failure("no free port")


def tail(path, lines=15):
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 16384))
            text = f.read().decode("utf-8", "replace").rstrip().splitlines()[-lines:]
    except OSError as e:
        return "    (%s)" % e
    return "\n".join("    " + line[:300] for line in text)


class Process:
    """One program with its log file.  `name` is what failures call it."""

    # True where programs must outlive this one and its terminal.
    detach = False

    def __init__(self, name, log):
        self.name, self.log, self.child = name, log, None

    def spawn(self, argv, env=None):
        check(not self.running(), "%s runs already" % self.name)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                          start_new_session=self.detach, env={**os.environ, **(env or {})})

    # What ends because the test wants it to end is no longer watched.

    def forget(self):
        code, self.child = self.child.returncode, None
        return code

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def must_run(self):
        if self.child is not None and self.child.poll() is not None:
            raise Failure("%s ended by itself with %d; its log closes with\n%s"
                          % (self.name, self.child.returncode, tail(self.log, 40)))

    def wait_exit(self, timeout=30):
        try:
            self.child.wait(timeout * TIME_FACTOR)
            return self.forget()
        except subprocess.TimeoutExpired:
            raise Failure("%s did not end within %g s; its log closes with\n%s"
                          % (self.name, timeout * TIME_FACTOR, tail(self.log))) from None

    def terminate(self, timeout=30):
        """Asks it to end; its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill9(self):
        """Ends it at this very instant, as a power cut would."""
        self.child.kill()
        self.child.wait()
        self.forget()

    def discard(self):
        """For the end of a test, whatever became of it."""
        if self.running():
            self.kill9()


class Watch:
    """Waits that know which programs must stay alive meanwhile."""

    def __init__(self):
        self.processes = []

    def add(self, process):
        self.processes.append(process)
        return process

    def until(self, what, probe, timeout=30, pause=0.02):
        """Polls until probe() is true and returns its value.  An exception of
        the probe counts as not yet, and is told when time runs out."""
        end = time.monotonic() + timeout * TIME_FACTOR
        last = None
        while True:
            try:
                last = probe()
                if last:
                    return last
            except (Failure, Skip):
                raise
            except Exception as e:  # told below
                last = e
            for p in self.processes:
                p.must_run()
            if time.monotonic() > end:
                raise Failure("waited %g s for %s; last seen: %.600r" % (timeout * TIME_FACTOR, what, last))
            time.sleep(pause)
            pause = min(pause * 1.2, 0.25)

    def until_empty(self, what, probe, timeout=30):
        """Polls until probe() gives an empty list; what is left is told when time runs out."""
        left = []

        def none():
            left[:] = probe()
            return not left

        try:
            self.until(what, none, timeout)
        except Failure as e:
            raise Failure("%s\n  left: %.1500r" % (e, left)) from None

    def logs(self):
        return "\n".join("  %s (%s):\n%s" % (p.name, "running" if p.running() else "ended", tail(p.log))
                         for p in self.processes)
