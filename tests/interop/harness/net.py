"""What a test is given: a folder of its own, and the programs it asks for."""
import os
import shutil
import subprocess

from .bitcoind import Bitcoind
from .lampo import BUILD, Lampo, ROOT, program
from .ldk import Ldk, find_ldk
from .lnd import Lnd
from .process import Failure, Process, Skip, Watch, check

CACHE = os.environ.get("LAMPO_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "lampo")

TESTS = {}


def test(timeout=120):
    """Registers a function that takes a Net.  `timeout` in seconds, for all of it."""
    def register(function):
        name = function.__module__.removesuffix("_test") + "." + function.__name__
        TESTS[name] = (function, timeout)
        return function
    return register


def ask_script(name):
    """The path that scripts/NAME prints, or a Skip with its last words."""
    done = subprocess.run([os.path.join(ROOT, "scripts", name), os.path.join(CACHE, name.removeprefix("get-"))],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise Skip(words[-1] if words else "%s failed" % name)
    return done.stdout.strip()


class Net:
    def __init__(self, folder, detach=False):
        self.folder, self.watch = folder, Watch()
        Process.detach = detach
        self.until = self.watch.until
        self._bitcoind = None

    def start_bitcoind(self, extra=(), program_path=None, password=True, name="bitcoind", endow=True):
        """endow: with a purse of coins to spend; without, nothing but the genesis."""
        path = program_path or ask_script("get-bitcoind")
        daemon = Bitcoind(self.folder, path, self.watch, extra, name)
        daemon.start(password, purse=endow)
        return daemon.endow() if endow else daemon

    @property
    def bitcoind(self):
        if self._bitcoind is None:
            self._bitcoind = self.start_bitcoind()
        return self._bitcoind

    def new_lampo(self, name, bitcoind=None, **config):
        for needed in ("lampod-cli", "lampo-cli"):
            check(os.path.exists(program(needed)), "not built (make BUILD=%s programs)" % BUILD, program(needed))
        return Lampo(self.folder, name, self.watch, bitcoind or self.bitcoind, **config)

    def lampo(self, name, *flags, **config):
        return self.new_lampo(name, **config).start(*flags)

    def lnd(self, name, extra=()):
        return Lnd(self.folder, name, ask_script("get-lnd"), self.watch, self.bitcoind, extra).start()

    def ldk(self, name, extra=()):
        return Ldk(self.folder, name, find_ldk(), self.watch, self.bitcoind, extra).start()

    def finish(self):
        """After a test that passed: what still runs must also know how to end."""
        for p in self.watch.processes:
            if isinstance(p, Lampo) and p.running():
                code = p.terminate()
                check(code == 0, "%s's exit code after SIGTERM" % p.name, code)
            if isinstance(p, Lampo):
                self.search_log(p)

    def search_log(self, node):
        with open(node.log, encoding="utf-8", errors="replace") as f:
            for line in f:
                for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "broken invariant"):
                    if word in line:
                        raise Failure("%s's log says: %s" % (node.name, line.strip()))

    def discard(self):
        for p in reversed(self.watch.processes):
            p.discard()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
