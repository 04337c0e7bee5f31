"""What a bitcoind says about fees, and what its miners take, as a test wants it."""
import http.client
import http.server
import json
import threading


class FeeDesk:
    """Stands between a node and its bitcoind and answers estimatesmartfee itself: regtest has no estimates.
    Everything else goes through as it is."""

    def __init__(self, bitcoind, sat_per_vb=2):
        self.bitcoind, self.sat_per_vb = bitcoind, sat_per_vb
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                call = json.loads(body)
                if isinstance(call, dict) and call.get("method") == "estimatesmartfee":
                    blocks = call["params"][0] if call.get("params") else 6
                    rate = desk.sat_per_vb * 1000 / 1e8
                    status, raw = 200, json.dumps({"id": call.get("id"), "error": None, "result": {
                        "feerate": "@", "blocks": blocks}}).replace('"@"', "%.8f" % rate).encode()
                else:
                    status, raw = desk.forward(self.path, body, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, path, body, headers):
        link = http.client.HTTPConnection("127.0.0.1", self.bitcoind.port, timeout=60)
        try:
            link.request("POST", path, body, {"Authorization": headers["Authorization"],
                                              "Content-Type": "application/json"})
            answer = link.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 503, b""
        finally:
            link.close()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server.server_address[1]


def miners_want(bitcoind, sat_per_vb):
    """From now on no block of this bitcoind holds what pays less; its mempool stays."""
    bitcoind.stop()
    bitcoind.extra = [e for e in bitcoind.extra if not e.startswith("-blockmintxfee=")]
    bitcoind.extra.append("-blockmintxfee=%.8f" % (sat_per_vb * 1000 / 1e8))
    bitcoind.start()
