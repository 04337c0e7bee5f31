"""The programs: configuration, socket, JSON-RPC, lampo-cli."""
import os
import stat
import subprocess
import threading
import time

from harness.lampo import RpcError, Socket, program
from harness.net import test
from harness.process import Failure, TIME_FACTOR, check, check_equal


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=30 * TIME_FACTOR, check=False)
    return done.returncode, done.stdout, done.stderr


@test()
def second_daemon_is_refused(net):
    a = net.lampo("alice")
    code, out, err = run(*a.argv())
    check_equal(code, 1, "exit code of the second daemon")
    check(a.folder in out + err, "the reason names the directory", out + err)
    check_equal(a.getinfo()["id"], a.id, "the first daemon lives on")
    # What a dead daemon leaves behind is no obstacle.
    a.kill9()
    check(os.path.exists(a.socket), "the socket of a killed daemon stays behind")
    a.start()


@test()
def modes(net):
    """Nobody else on the machine reads the keys or speaks to the socket."""
    before = os.umask(0)
    try:
        a = net.lampo("alice")
    finally:
        os.umask(before)
    check_equal(stat.S_IMODE(os.stat(a.socket).st_mode), 0o600, "mode of the socket")
    for folder, _, names in os.walk(a.folder):
        for name in names:
            path = os.path.join(folder, name)
            if path == os.path.join(a.folder, "lampo.conf"):
                continue
            mode = stat.S_IMODE(os.stat(path).st_mode)
            check(mode & 0o077 == 0, "others may not touch " + path, oct(mode))


@test()
def config_errors(net):
    """An error names the file, the line and the remedy."""
    a = net.new_lampo("alice")
    path = a.write_config()
    with open(path, encoding="utf-8") as f:
        good = f.read()

    def refused(what, text, *needed):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        code, out, err = run(*a.argv())
        check_equal(code, 1, "exit code for " + what)
        for word in needed:
            check(str(word) in err, "the error for %s names %s" % (what, word), err, out)

    line = good.count("\n") + 1
    port = "port=%d" % a.port
    at = good[:good.index(port)].count("\n") + 1
    refused("an unknown key", good + "colour=blue\n", path, line, "colour")
    refused("a key that is there already", good + "port=9735\n", path, line, "port", at)
    refused("a bad port", good.replace(port, "port=70000"), path, at, "port", "70000")
    refused("a port of letters", good.replace(port, "port=http"), path, at, "port", "http")
    refused("a bad network", good.replace("network=regtest", "network=moonnet"), path, "moonnet", "regtest")
    refused("a bad backend", good.replace("backend=core", "backend=abacus"), path, "abacus", "core")
    refused("a line without a value", good + "alias\n", path, line)
    refused("a bad log level", good.replace("log-level=debug", "log-level=chatty"), path, "chatty", "debug")
    os.unlink(path)
    code, out, err = run(*a.argv())
    check_equal(code, 1, "exit code without a file")
    check("lampo.conf" in err, "the error names the missing file", err, out)
    net.watch.processes.remove(a)


@test()
def flags_win_over_the_file(net):
    a = net.new_lampo("alice", alias="from-the-file", **{"core-pass": "wrong"})
    a.start("--core-pass", a.bitcoind.PASSWORD)
    check_equal(a.getinfo()["alias"], "from-the-file", "alias")
    a.synced()
    a.close_down()
    # The other name of the file, and the other way to name the directory.
    os.rename(os.path.join(a.folder, "lampo.conf"), os.path.join(a.folder, "lampod.conf"))
    a.spawn([program("lampod-cli"), "-d", a.folder, "-n", "regtest", "--core-pass", a.bitcoind.PASSWORD])
    a.ready()


@test()
def help_and_version(net):
    for name in ("lampod-cli", "lampo-cli"):
        code, out, _ = run(program(name), "--version")
        check(code == 0 and out.strip(), "%s --version" % name, code, out)
        code, out, _ = run(program(name), "--help")
        check(code == 0 and "--" in out, "%s --help" % name, code, out)
        code, _, err = run(program(name), "--no-such-flag")
        check(code == 1 and "no-such-flag" in err, "%s and an unknown flag" % name, code, err)
    net.new_lampo("never-started")
    net.watch.processes.pop()


@test()
def lampo_cli(net):
    a, b = net.lampo("alice"), net.lampo("bob")
    check_equal(a.cli("getinfo")["id"], a.id, "getinfo")
    by_position = a.cli("invoice", "1000", "one", "by position")
    by_equals = a.cli("invoice", "amount_msat=1000", "label=two", "description=by name")
    by_flag = a.cli("invoice", "--amount_msat", "1000", "--label", "three", "--description", "by flag")
    check(len({i["payment_hash"] for i in (by_position, by_equals, by_flag)}) == 3, "three invoices")
    check_equal(a.cli("connect", b.id, "127.0.0.1", str(b.port))["id"], b.id, "connect")
    check_equal(len(a.cli("listinvoices")["invoices"]), 3, "listinvoices")
    code, out, _ = run(program("lampo-cli"), "-d", a.folder, "-n", "regtest", "getinfo")
    check(code == 0 and a.id in out, "lampo-cli -d", code, out)
    code, text = a.cli("help", ok=False)
    check(code == 0 and all(m in text for m in ("fundchannel", "listpeerchannels", "waitinvoice")), "help", text[:400])
    code, text = a.cli("help", "fundchannel", ok=False)
    check(code == 0 and all(p in text for p in ("push_msat", "feerate", "announce")), "help fundchannel", text[:400])
    for words, reason in ((["nonsense"], "nonsense"), (["invoice", "1000"], "label"),
                          (["invoice", "many", "x", "y"], "amount_msat"), (["getinfo", "extra"], "")):
        code, text = a.cli(*words, ok=False)
        check(code == 1 and reason in text, "lampo-cli %s" % " ".join(words), code, text)
    a.close_down()
    code, text = a.cli("getinfo", ok=False)
    check(code == 1 and a.socket in text, "without a daemon the error names the socket", code, text)


@test()
def json_rpc(net):
    """JSON-RPC 2.0 as its specification has it."""
    a = net.lampo("alice")

    def ask(text):
        with Socket(a.socket, 20) as s:
            s.send_bytes(text.encode() if isinstance(text, str) else text)
            return s.receive()

    good = '{"jsonrpc":"2.0","id":%s,"method":"getinfo"}'
    for identity, want in (("7", 7), ('"x"', "x"), ("null", None), ('"\\u00e9\\n"', "é\n")):
        reply = ask(good % identity)
        check_equal((reply.get("id"), "result" in reply, reply.get("jsonrpc")), (want, True, "2.0"), "answer")
    for text, code in (("{,}", -32700), ("[1,", None), ("[]", -32600), ('{"jsonrpc":"2.0","id":1}', -32600),
                       ('{"jsonrpc":"2.0","id":1,"method":7}', -32600),
                       ('{"jsonrpc":"2.0","id":{},"method":"getinfo"}', -32600),
                       ('{"jsonrpc":"2.0","id":1,"method":"getinfo","params":3}', -32600),
                       ('{"jsonrpc":"2.0","id":1,"method":"no-such"}', -32601),
                       ('{"jsonrpc":"2.0","id":1,"method":"invoice","params":{}}', -32602),
                       ('{"jsonrpc":"2.0","id":1,"method":"invoice","params":[1,"a","b",3600,1,2,3,4,5,6,7,8]}', -32602),
                       ('{"jsonrpc":"2.0","id":1,"method":"getinfo","params":{"colour":"blue"}}', -32602)):
        if code is None:
            continue
        reply = ask(text)
        check_equal(reply.get("error", {}).get("code"), code, "code for " + text)
    batch = ask("[%s,%s,%s,1]" % (good % 1, '{"jsonrpc":"2.0","method":"getinfo"}', good % '"b"'))
    check_equal(sorted(str(r.get("id")) for r in batch), ["1", "None", "b"], "answers to a batch")
    # A notification has no answer: the next thing to arrive is the next call's.
    reply = ask('{"jsonrpc":"2.0","method":"getinfo"}' + good % 9)
    check_equal(reply["id"], 9, "answer after a notification")
    # Many calls without waiting, in pieces that cut words in two.
    with Socket(a.socket) as s:
        stream = "".join(good % i for i in range(100)).encode()
        for i in range(0, len(stream), 37):
            s.send_bytes(stream[i:i + 37])
        check_equal(sorted(s.receive()["id"] for _ in range(100)), list(range(100)), "answers to a pipeline")
    # Depth and size have bounds, and one rude client harms no other.
    with Socket(a.socket, 20) as rude, Socket(a.socket) as polite:
        try:
            rude.send_bytes(b"[" * 100_000)
            rude.receive()
        except (ConnectionError, OSError):
            pass
        polite.send({"jsonrpc": "2.0", "id": 1, "method": "getinfo"})
        check_equal(polite.receive()["id"], 1, "answer beside a rude client")
    with Socket(a.socket, 30) as rude:
        try:
            rude.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * 100_000_000 + b'"}')
            check("error" in rude.receive(), "a hundred megabytes are refused")
        except (ConnectionError, OSError):
            pass
    with open("/proc/%d/status" % a.pid, encoding="ascii") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    if os.environ.get("LAMPO_BUILD", "release") == "release":
        check(peak < 64 * 1024, "memory of the daemon after it, in kB", peak)


@test()
def waiting_blocks_nobody(net):
    a = net.lampo("alice")
    a.invoice(amount_msat=1000, label="never", description="never paid")
    with Socket(a.socket) as waiting:
        waiting.send({"jsonrpc": "2.0", "id": 1, "method": "waitinvoice", "params": {"label": "never"}})
        began = time.monotonic()
        for _ in range(50):
            a.getinfo()
        check(time.monotonic() - began < 5 * TIME_FACTOR, "other calls go on while one waits")
        # The same connection too: answers come in their own time.
        waiting.send({"jsonrpc": "2.0", "id": 2, "method": "getinfo"})
        check_equal(waiting.receive()["id"], 2, "answer on the connection that waits")
    clients = [Socket(a.socket) for _ in range(100)]
    for i, s in enumerate(clients):
        s.send({"jsonrpc": "2.0", "id": i, "method": "getinfo"})
    check_equal([s.receive()["id"] for s in clients], list(range(100)), "answers to a hundred clients")
    for s in clients:
        s.close()
    a.getinfo()


@test()
def stop_answers_and_ends(net):
    a = net.lampo("alice")
    done = []
    thread = threading.Thread(target=lambda: done.append(a.call("stop")))
    thread.start()
    thread.join(20 * TIME_FACTOR)
    check(len(done) == 1, "stop is answered before the socket closes")
    check_equal(a.wait_exit(), 0, "exit code")
    check(not os.path.exists(a.socket), "the socket is gone")


@test()
def refused_connections(net):
    a, b = net.lampo("alice"), net.lampo("bob")
    wrong = b.id[:-2] + ("00" if b.id[-2:] != "00" else "01")
    for params, what in (({"id": wrong, "host": "127.0.0.1", "port": b.port}, "another node's key"),
                         ({"id": b.id, "host": "127.0.0.1", "port": 1}, "a port where nobody is"),
                         ({"id": b.id, "host": "no-such-host.invalid", "port": 9735}, "a name that nobody has")):
        try:
            a.connect(**params)
            raise Failure("connected to " + what)
        except RpcError as e:
            check(e.message, "the refusal of %s says why" % what)
    connected = a.connect(id="%s@localhost:%d" % (b.id, b.port))
    check_equal(connected["id"], b.id, "connect by name, in one word")
    check_equal([p["id"] for p in a.listpeers()["peers"] if p["connected"]], [b.id], "listpeers")
    check_equal([p["id"] for p in b.listpeers()["peers"] if p["connected"]], [a.id], "listpeers of the other")
    a.disconnect(id=b.id)
    net.until("disconnected", lambda: not any(p["connected"] for p in b.listpeers()["peers"]))
