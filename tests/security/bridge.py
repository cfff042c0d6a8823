#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bridge.py - two bridges under the rights of contrib/nats, and how a bridge ends that is refused.

    bridge.py rights|refused BRIDGE MADANG PROBE TREE PEER

BRIDGE is madang-bridge, MADANG the tool, PROBE security_probe, PEER replica-peer. In `rights`, messages of each kind
of channel cross between two namespaces, each with a bridge that may only do what
contrib/nats/madang.conf lets it. The server's log must not have a violation then. In `refused`, a
bridge is not let in, or is told nonsense. Exit 77: a program is missing.
"""
import os
import signal
import subprocess
import sys
import tempfile
import time

from keys import NKey, authority, certificate, secret_file
from server import FAILED, Server, expect, find, rights_server

WHAT, BRIDGE, MADANG, PROBE, TREE, PEER = sys.argv[1:7]


class Bridge:
    def __init__(self, place, host, *arguments):
        self.log = os.path.join(place, host + ".bridge")
        self.namespace = os.path.join(place, "namespace-" + host)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([BRIDGE, "-n", self.namespace, "--host", host,
                                             *arguments], stdout=log, stderr=log)

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def madang(namespace, command, *arguments, text=None, later=False):
    line = [MADANG, command, "-n", namespace, *arguments]
    if later:
        return subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    return subprocess.run(line, input=text, capture_output=True, text=True, timeout=60,
                          check=False)


def run(*arguments):
    done = subprocess.run([BRIDGE, *arguments], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def check_kind(a, b, kind):
    listener = madang(b.namespace, "listen", "--kind", kind, "--count", "3", kind, later=True)
    time.sleep(0.3)
    madang(a.namespace, "talk", "--kind", kind, kind, text="one\ntwo\nthree\n")
    try:
        heard = listener.communicate(timeout=30)[0]
    except subprocess.TimeoutExpired:
        listener.kill()
        heard = "nothing came in 30 seconds"
    expect(f"a {kind} crosses under the rights", (0, heard), 0, "^one\ntwo\nthree\n$")


def check_call(a, b):
    server = madang(b.namespace, "serve", "--count", "1", "age", "--", "echo", "seven",
                    later=True)
    time.sleep(1)
    done = madang(a.namespace, "call", "--timeout", "20", "age", "hello")
    expect("a call crosses under the rights", (done.returncode, done.stdout + done.stderr), 0,
           "^seven\n$")
    server.kill()
    server.communicate()


def peer(host, *arguments):
    done = subprocess.run([PEER, *arguments], capture_output=True, text=True, timeout=60,
                          check=False, env=dict(os.environ, MADANG_NAMESPACE=host.namespace,
                                                PEER_SEGMENT="weather"))
    return done.returncode, done.stdout + done.stderr


def check_segment(place, server, a, b, host_b):
    """A replicated segment: who else has a user of this server neither reads nor commits it."""
    expect("a program of a commits", peer(a, "commit", "7"), 0)
    expect("b has it, under the rights", peer(b, "await", "7"), 0)
    before = peer(b, "look")
    other = secret_file(os.path.join(place, "other.user"), "other\nsesame\n")
    stream = "MADANG_default_=s=weather"
    say = ["publish", "madang.default.s.weather.a", "x"]
    ask = ["request", f"$JS.API.STREAM.MSG.GET.{stream}", '{"seq":1}',
           "request", f"$JS.API.STREAM.INFO.{stream}", "",
           "request", f"$JS.API.STREAM.PURGE.{stream}", "",
           "request", f"$JS.API.STREAM.DELETE.{stream}", "",
           "publish", "$KV.madang_default.writer.weather", "host=other instance=0"]
    listen = ["subscribe", "madang.default.s.weather.*", ""]

    def probe(user, *actions):
        done = subprocess.run(
            [PROBE, "--tls-ca", f"{place}/ca.crt", "--tls-cert", f"{place}/a.crt", "--tls-key",
             f"{place}/a.key", *(["--user-file", user] if user else []), server.url("tls"),
             *actions], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    later = subprocess.Popen([PEER, "storm", "1"], stdout=subprocess.DEVNULL,
                             env=dict(os.environ, MADANG_NAMESPACE=a.namespace,
                                      PEER_SEGMENT="weather"))
    expect("another user hears and reads nothing", probe(other, *listen, *say, *ask), 0,
           "stream not found", never=["^got", '"message"', '"success":true'])
    expect("host b's user does not hear it", probe(host_b, *listen), 0, "denied: .*ermissions")
    expect("host b's user does not commit as a", probe(host_b, *say), 0,
           "denied: .*ermissions.*madang.default.s.weather.a")
    expect("nobody without a name", probe(None, *say), 3)
    later.wait(timeout=30)
    expect("a commits on", peer(a, "commit", "8"), 0)
    expect("b has that", peer(b, "await", "8"), 0)
    expect("the writer is the same one", (0, peer(b, "look")[1]), 0,
           "fence=" + before[1].split("fence=")[1].split()[0] + " ")
    expect("a was not refused", (0, a.said()), 0, never=[" refused ", " deposed "])


def check_rights(place):
    key = NKey("user")
    nkey = secret_file(os.path.join(place, "a.nkey"), f"{key.seed}\n{key.public}\n")
    user = secret_file(os.path.join(place, "b.user"), "host-b\nsesame\n")
    common = ["--tls-ca", f"{place}/ca.crt", "--tls-cert", f"{place}/a.crt", "--tls-key",
              f"{place}/a.key"]
    for kind in ("stream", "queue", "topic", "age"):
        common += ["--channel", kind]
    with rights_server(TREE, place, key) as server:
        a = Bridge(place, "a", "--url", server.url("tls"), "--nkey", nkey, "--write", "weather",
                   *common)
        b = Bridge(place, "b", "--url", server.url("tls"), "--user-file", user, "--replicate",
                   "weather", *common)
        time.sleep(1)
        with open(f"/proc/{b.process.pid}/cmdline", encoding="utf-8") as line, \
                open(f"/proc/{b.process.pid}/environ", encoding="utf-8") as environment:
            expect("no secret on the command line", (0, line.read() + environment.read()), 0,
                   never=["sesame", key.seed])
        for kind in ("stream", "queue", "topic"):
            check_kind(a, b, kind)
        check_call(a, b)
        expect("nothing that a bridge does is denied", (0, server.said()), 0,
               never=["[Vv]iolation"])
        check_segment(place, server, a, b, user)
        codes = [bridge.end() for bridge in (a, b)]
        said = a.said() + b.said()
        expect("both end in order", (max(codes), said), 0,
               never=["sesame", key.seed, "ermissions"])
        if FAILED:
            print(said)
            print("\n".join(line for line in server.said().splitlines() if "iolation" in line))


def check_refused(place):
    key = NKey("user")
    nkey = secret_file(os.path.join(place, "w.nkey"), f"{key.seed}\n{key.public}\n")
    where = ["-n", os.path.join(place, "namespace-r"), "--channel", "news"]
    some = NKey("user").public
    with Server(place, "passwords", 'authorization { user: "x", password: "y" }\n') as server:
        expect("a server that knows no keys", run("--url", server.url(), "--nkey", nkey, *where), 3,
               "no users with keys, and so not the user of .*w.nkey")
    with Server(place, "refuses", f'authorization {{ users: [ {{ nkey: "{some}" }} ] }}\n'
                ) as server:
        expect("a bridge that the server does not know", run("--url", server.url(), "--nkey",
                                                             nkey, *where), 3,
               "does not accept the user of .*w.nkey")
        expect("a bridge without a name", run("--url", server.url(), *where), 3, "nobody in")
        expect("another machine without TLS", run("--url", server.url(host="0.0.0.0"), *where), 1,
               "has no TLS", "--insecure-plain")
    os.chmod(nkey, 0o644)
    expect("a secret that all may read", run("--url", server.url(), "--nkey", nkey, *where), 1,
           "every user of this machine may read")
    for size in ("0", "-1", "1T", "M", "1K1", "1025G", "18446744073709551617"):
        expect(f"--replica-most {size}", run("--url", "nats://127.0.0.1:1", *where,
                                             "--replica-most", size), 2, "no size of a segment")
    for port in ("0", "65536", "99999", "123456"):
        expect(f"port {port}", run("--url", f"nats://127.0.0.1:{port}", *where), 2, "no port")
    rules = os.path.join(place, "rules")
    with open(rules, "w", encoding="utf-8") as file:
        file.write("allow both news\n")
    expect("a direction of no --channel", run("--url", "nats://127.0.0.1:1", *where[:2],
                                              "--rules", rules, "--direction", "out"), 2,
           "--direction is for --channel", "Each rule")
    expect("a namespace that cannot be", run("--url", "nats://127.0.0.1:1", "-n",
                                             f"{place}/no/where", "--channel", "news"), 1,
           "no-namespace .*directory above it has to exist")
    expect("a password in the URL", run("--url", "nats://me:sesame@127.0.0.1", *where), 2,
           "--user-file", never=["sesame"])


def wait_for(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.02)
    return False


def check_thrown_out(place):
    """A server that comes back, and does not know the bridge any more."""
    user = secret_file(os.path.join(place, "u"), "me\nsesame\n")
    with Server(place, "before", 'authorization { user: "me", password: "sesame" }\n') as server:
        bridge = Bridge(place, "t", "--url", server.url(), "--user-file", user, "--channel", "x")
        expect("let in at first", (0, str(wait_for(lambda: "connected" in bridge.said()))), 0,
               "True")
    with Server(place, "after", 'authorization { user: "me", password: "other" }\n', server.port):
        ended = wait_for(lambda: bridge.process.poll() is not None)
        expect("thrown out later", (bridge.process.poll() if ended else bridge.end(),
                                    bridge.said()), 3, "does not accept the user of .*/u",
               never=["sesame"])


def check_few_rights(place):
    """A user who may not send heartbeats."""
    user = secret_file(os.path.join(place, "f"), "me\nsesame\n")
    with Server(place, "few", 'authorization { users: [ { user: "me", password: "sesame", '
                'permissions: { publish: { deny: "madang.default.h.>" } } } ] }\n') as server:
        bridge = Bridge(place, "f", "--url", server.url(), "--user-file", user, "--channel", "x")
        seen = wait_for(lambda: "denied" in bridge.said())
        expect("too few rights", (bridge.end() if seen else 1, bridge.said()), 0,
               'error denied words=".*madang.default.h.f.*advice=".*contrib/nats/madang.conf')


def check_hostile(place):
    """A member of the group that says what no bridge says."""
    instance = "0123456789abcdef" * 2
    beats = ["", "x", "madang-bridge", f"madang-bridge 2 {instance}\n", "\x1b[2J" * 1000,
             f"madang-bridge 1 {instance}\nhuge 1 99999 1 1 0\n",
             f"madang-bridge 1 {instance}\n" + "huge 1 1 1 1 0\n" * 600,
             f"madang-bridge 1 {instance}\nhuge 2 1 0 1 0\nmad 1 1 0 1 18446744073709551616\n"]
    with Server(place, "hostile", f'jetstream {{ store_dir: "{place}/js" }}\n') as server:
        bridge = Bridge(place, "h", "--url", server.url(), "--channel", "huge", "--channel", "odd",
                        "--log-level", "debug")
        wait_for(lambda: "connected" in bridge.said())
        said = []
        for text in beats:
            said += ["publish", "madang.default.h.evil", text]
        for subject in ("madang.default.h.ev=00il", "madang.default.p.huge.evil",
                        "madang.default.p.=.evil", "madang.default.i.h.j.x"):
            said += ["publish", subject, "17x"]
        subprocess.run([PROBE, server.url(), *said], stdout=subprocess.DEVNULL, check=True)
        # It has the bucket once it has asked for the shape of a channel.
        beat = f"madang-bridge 1 {instance}\nhuge 1 1 0 1 0\nodd 1 1 0 1 0\n"
        shape = "kind=stream full=wait capacity=1073741824 peers=16"
        for _ in range(3):
            subprocess.run([PROBE, server.url(), "publish", "madang.default.h.evil", beat,
                            "stay", "300", "", "publish", "$KV.madang_default.channel.huge", shape,
                            "publish", "$KV.madang_default.channel.odd", "\x1b]0;owned\x07 kind=",
                            "publish", "madang.default.h.evil", beat], stdout=subprocess.DEVNULL,
                           check=True)
        made = wait_for(lambda: "channel-made" in bridge.said())
        channels = madang(bridge.namespace, "channels").stdout
        expect("a channel of 1 GiB is made with 64 MiB", (0 if made else 1, channels), 0,
               '"huge" +stream +64M', never=['"odd"'])
        expect("the bridge lives, and the log has no bytes that a terminal obeys",
               (bridge.end(), bridge.said()), 0, "heartbeat-refused", "shape-refused",
               never=["\x1b", "\x07"])


def main():
    for program in ("nats-server", "openssl"):
        if not find(program):
            print(f"skipped: {program} is missing")
            return 77
    signal.alarm(300)
    with tempfile.TemporaryDirectory(prefix="madang-rights-", dir="/dev/shm") as place:
        authority(place, "ca")
        certificate(place, "server", "ca", "DNS:localhost,IP:127.0.0.1")
        certificate(place, "a", "ca", "DNS:a")
        if WHAT == "refused":
            check_refused(place)
            check_thrown_out(place)
            check_few_rights(place)
            check_hostile(place)
        else:
            check_rights(place)
    print(f"{len(FAILED)} failed" if FAILED else "all is well")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
