"""bench/crowd: many peers in one process, and the chain that they speak of."""
import json
import struct
import subprocess

from harness.process import Failure

from .machine import bench_program

SAT = 10_000  # in each output of a channel that nobody runs


class Crowd:
    """A running bench/crowd; say(letter) gives its answer."""

    def __init__(self, *words):
        self.child = subprocess.Popen([bench_program("crowd"), *(str(w) for w in words)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.line("ready\n")

    def line(self, wanted=None):
        line = self.child.stdout.readline()
        if not line or wanted not in (None, line):
            raise Failure("bench/crowd said %r" % line)
        return line

    def order(self, letter):
        self.child.stdin.write(letter + "\n")
        self.child.stdin.flush()

    def say(self, letter):
        self.order(letter)
        return self.answer()

    def answer(self):
        return json.loads(self.line())

    def end(self):
        if self.child.poll() is None:
            self.child.stdin.close()
            self.child.wait(60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def scripts(channels, nodes):
    done = subprocess.run([bench_program("crowd"), "scripts", str(channels), str(nodes)], check=True,
                          capture_output=True, text=True)
    return [bytes.fromhex(line) for line in done.stdout.split()]


def fund(bitcoind, channels, nodes):
    """One transaction with the output of each channel, deep enough to be announced.  (height, index in its block)"""
    outputs = b"".join(struct.pack("<QB", SAT, len(s)) + s for s in scripts(channels, nodes))
    raw = struct.pack("<IB", 2, 0) + b"\xfd" + struct.pack("<H", channels) + outputs + struct.pack("<I", 0)
    funded = bitcoind.rpc("fundrawtransaction", raw.hex(), {"changePosition": channels}, False)
    signed = bitcoind.rpc("signrawtransactionwithwallet", funded["hex"])
    txid = bitcoind.rpc("sendrawtransaction", signed["hex"])
    block = bitcoind.rpc("getblock", bitcoind.mine_with(txid))
    bitcoind.mine(6)
    return block["height"], block["tx"].index(txid)
