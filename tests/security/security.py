#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""security.py - who may connect to what: TLS, users, rights, and what is said when it is refused.

    security.py PROBE TREE

It starts nats-server on the loopback with certificates and users of its own, and connects with
PROBE, which uses the code of the bridge. The address 0.0.0.0 reaches this machine, too, and is none
of the loopback's: it stands for another machine. Exit 77: a program is missing.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from keys import NKey, authority, certificate, creds_file, jwt, secret_file
from server import FAILED, Server, expect, find, free_ports, rights_server

PROBE, TREE = sys.argv[1], sys.argv[2]


def probe(*arguments, later=False):
    command = [PROBE, *arguments]
    if later:
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def tls(name, verify="true"):
    return (f'tls {{ cert_file: "{name}.crt", key_file: "{name}.key", ca_file: "ca.crt", '
            f'verify: {verify}, timeout: 5 }}\n')


def check_tls(place):
    both = "DNS:localhost,IP:127.0.0.1"
    authority(place, "ca")
    authority(place, "strange")
    certificate(place, "server", "ca", both)
    certificate(place, "expired", "ca", both, days=-1)
    certificate(place, "elsewhere", "ca", "DNS:elsewhere.example")
    certificate(place, "alien", "strange", both)
    certificate(place, "a", "ca", "DNS:a")
    certificate(place, "impostor", "strange", "DNS:a")
    path = {name: os.path.join(place, name) for name in os.listdir(place)}
    ca = ["--tls-ca", path["ca.crt"]]
    ours = [*ca, "--tls-cert", path["a.crt"], "--tls-key", path["a.key"]]
    with Server(place, "tls", tls("server")) as server:
        expect("TLS, both sides known", probe(*ours, server.url()), 0, "^connected, tls")
        expect("by name", probe(*ours, server.url("tls", "localhost")), 0, "^connected, tls")
        expect("another address, with the certificate's name",
               probe(*ours, "--tls-name", "localhost", server.url(host="0.0.0.0")), 0, "tls")
        expect("no authority given", probe("--tls-cert", path["a.crt"], "--tls-key",
                                           path["a.key"], server.url("tls")), 1,
               "certificate is not accepted: .*issuer.*CN=server", "advice: .*--tls-ca")
        expect("no certificate of ours", probe(*ca, server.url()), 3,
               "wants a certificate of ours", "--tls-cert")
        expect("ours is a stranger's", probe(*ca, "--tls-cert", path["impostor.crt"], "--tls-key",
                                             path["impostor.key"], server.url()), 3,
               "does not accept the certificate .*impostor.crt")
        expect("the key of another", probe(*ca, "--tls-cert", path["a.crt"], "--tls-key",
                                           path["server.key"], server.url()), 1,
               "key", "has to be the one of the certificate")
        expect("a certificate without a key", probe(*ca, "--tls-cert", path["a.crt"],
                                                    server.url()), 2, "belong together")
        os.chmod(path["a.key"], 0o644)
        expect("a key that all may read", probe(*ours, server.url()), 1,
               r"every user of this machine may read the key .*a\.key \(mode 644\)", "chmod 0640")
        os.chmod(path["a.key"], 0o600)
        expect("TLS and --insecure-plain", probe(*ours, "--insecure-plain", server.url()), 2,
               "exclude each other")
    check_reconnect(place, ours)
    for name, pattern, advice in (
            ("expired", "certificate has expired", "new certificate, if the clock"),
            ("elsewhere", "mismatch", "--tls-name"),
            ("alien", "issuer", "--tls-ca has not the authority")):
        with Server(place, name, tls(name)) as server:
            expect(f"the server's certificate: {name}", probe(*ours, server.url()), 1,
                   f"certificate is not accepted: .*{pattern}", f"advice: .*{advice}")
    with Server(place, "name", tls("server")) as server:
        expect("another name than the certificate's",
               probe(*ours, "--tls-name", "other.example", server.url()), 1, "mismatch",
               "has to be a name that the certificate has")


def check_reconnect(place, ours):
    """Whoever takes the server's place without a certificate of its name gets nothing."""
    for name, text, known in (("plain", "", False), ("elsewhere", tls("elsewhere"), False),
                              ("again", tls("server"), True)):
        with Server(place, "first-" + name, tls("server")) as server:
            visitor = probe(*ours, server.url(), "stay", "1200", "", later=True)
            expect("connected at first", (0, visitor.stdout.readline()), 0, "^connected, tls")
        with Server(place, "second-" + name, text, server.port) as second:
            said = visitor.communicate(timeout=30)[0]
            expect(f"a server that takes the place of the first: {name}", (0, said), 0,
                   "afterwards connected" if known else "afterwards cut off")
            expect("... it was tried, and got a name and a password only if it is known",
                   (0, second.said()), 0, "Client connection created|TLS handshake error",
                   *(["CONNECT"] if known else []), never=[] if known else ["CONNECT"])


def check_plain(place):
    first, second, client, other = free_ports(4)
    cluster = 'cluster {{ name: c, listen: "127.0.0.1:{0}", routes: ["nats://127.0.0.1:{1}"] }}\n'
    with Server(place, "plain", cluster.format(first, second) +
                f'client_advertise: "127.0.0.1:{client}"\n', client) as server, \
            Server(place, "next", cluster.format(second, first) +
                   f'client_advertise: "0.0.0.0:{other}"\n', other):
        for _ in range(200):
            if "Route connection created" in server.said():
                break
            time.sleep(0.02)
        time.sleep(0.2)
        expect("plain, to the loopback", probe(server.url(), "servers", "", ""), 0,
               "^connected, plain", never=["server .*0.0.0.0"])
        expect("plain, to another machine", probe(server.url(host="0.0.0.0")), 1,
               "the server has no TLS", "--insecure-plain")
        expect("one of two is another machine",
               probe(f"{server.url()},{server.url(host='0.0.0.0')}"), 1, "the server has no TLS")
        expect("plain, asked for",
               probe("--insecure-plain", server.url(host="0.0.0.0"), "servers", "", ""), 0,
               "warning: the connection is plain", "^connected, plain|\nconnected, plain",
               rf"server nats://0\.0\.0\.0:{other}\n")
        expect("a slash at the end", probe(server.url() + "/"), 0, "^connected, plain")
        expect("tls:// to a plain server", probe(server.url("tls")), 1, "has no TLS")
    expect("nobody there", probe(server.url()), 1, "no server answers", "--with-server")
    expect("a password in the URL", probe("nats://me:secret@127.0.0.1"), 2, "password",
           "--user-file", never=["secret"])
    expect("a token in the second URL", probe("nats://127.0.0.1,tok@127.0.0.1"), 2, "token")
    for url in ("", ",", "http://127.0.0.1", "nats://", "nats://:4222", "nats://[::1",
                "nats://[::1]x", "tls://a b://c", "nats://127.0.0.1:4222\nnats://0.0.0.0:4222",
                "nats://127.0.0.1:4222/x:1", "nats://127.0.0.1:", "nats://127.0.0.1:123456",
                "nats://127.0.0.1:4x", "nats://127.0.0.1#0.0.0.0", "nats://127.0.0.1/0.0.0.0",
                "nats://127.0.0.1?0.0.0.0"):
        expect(f"the URL {url!r}", probe(url), 2, "wrong: the URL", "advice: write nats://HOST")


def check_users(place):
    key = NKey("user")
    nkey = secret_file(os.path.join(place, "n.nkey"), f"{key.seed}\n{key.public}\n")
    other = NKey("user")
    wrong = secret_file(os.path.join(place, "w.nkey"), f"{other.seed}\n{other.public}\n")
    user = secret_file(os.path.join(place, "user"), "me\nsesame\n")
    with Server(place, "users", f'authorization {{ users: [ {{ nkey: "{key.public}" }},\n'
                                '{ user: "me", password: "sesame" } ] }\n') as server:
        url = server.url()
        expect("an NKey", probe("--nkey", nkey, url), 0, "^connected")
        expect("an NKey that the server does not know", probe("--nkey", wrong, url), 3,
               "does not accept the user of .*w.nkey")
        expect("a user and a password", probe("--user-file", user, url), 0, "^connected")
        expect("nobody", probe(url), 3, "lets nobody in", "--user-file, --nkey or --creds")
        for mode, code in ((0o640, 0), (0o400, 0), (0o644, 1), (0o660, 1), (0o602, 1)):
            os.chmod(user, mode)
            expect(f"a file with mode {mode:03o}", probe("--user-file", user, url), code,
                   "^connected" if code == 0 else "chmod 06[04]0 .*user")
        secret_file(user, "me\nwrong\n")
        expect("a wrong password", probe("--user-file", user, url), 3, "does not accept",
               never=["wrong\n"])
        expect("two users", probe("--user-file", user, "--nkey", nkey, url), 2, "exclude")
        for name, text, said in (("no password", "me\n", "no two lines"),
                                 ("empty", "", "no two lines"),
                                 ("zero byte", "me\0\nx\n", "not a text"),
                                 ("large", "x" * 20000, "larger")):
            expect(f"a user file: {name}",
                   probe("--user-file", secret_file(user, text), url), 1, said)
        os.unlink(user)
        os.mkfifo(user, 0o600)
        expect("a FIFO", probe("--user-file", user, url), 1, "not a regular file")
        expect("no file", probe("--user-file", user + "x", url), 1, "No such file", "name right")
        secret_file(nkey, f"{key.seed}\n")
        expect("an NKey without its public key", probe("--nkey", nkey, url), 1, "public key",
               "nk -inkey")
        secret_file(nkey, f"{key.public}\n")
        expect("an NKey without its seed", probe("--nkey", nkey, url), 1, "seed")
        if os.geteuid() == 0:
            os.chown(nkey, 12345, -1)
            expect("a file of another user", probe("--nkey", nkey, url), 1, "another user")


def check_creds(place):
    operator, account, user = NKey("operator"), NKey("account"), NKey("user")
    system = NKey("account")
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
              "wildcards": True, "conn": -1, "leaf": -1}
    tokens = {a.public: jwt(operator, a, "a", "account", limits=limits) for a in (account, system)}
    preload = "".join(f"  {public}: {token}\n" for public, token in tokens.items())
    creds = creds_file(os.path.join(place, "u.creds"),
                       jwt(account, user, "u", "user", subs=-1, data=-1, payload=-1), user)
    with Server(place, "creds", f"operator: {jwt(operator, operator, 'o', 'operator')}\n"
                                f"system_account: {system.public}\n"
                                f"resolver: MEMORY\nresolver_preload: {{\n{preload}}}\n") as server:
        expect("credentials", probe("--creds", creds, server.url()), 0, "^connected")
        stranger = NKey("account")
        creds_file(creds, jwt(stranger, user, "u", "user", subs=-1, data=-1, payload=-1), user)
        expect("credentials that the server does not know",
               probe("--creds", creds, server.url()), 3, "does not accept the user of .*u.creds")
        secret_file(creds, "nothing\n")
        expect("credentials without a JWT", probe("--creds", creds, server.url()), 1, "no JWT")


def check_rights(place):
    key = NKey("user")
    nkey = secret_file(os.path.join(place, "r.nkey"), f"{key.seed}\n{key.public}\n")
    ours = [f"--tls-ca={place}/ca.crt", f"--tls-cert={place}/a.crt", f"--tls-key={place}/a.key"]
    ours = [part for option in ours for part in option.split("=")]
    with rights_server(TREE, place, key) as server:
        a = [*ours, "--nkey", nkey, "--inbox", "madang.default.i.a", server.url()]
        b = [*ours, "--user-file", secret_file(os.path.join(place, "b"), "host-b\nsesame\n"),
             "--inbox", "madang.default.i.b", server.url()]
        other = [*ours, "--user-file", secret_file(os.path.join(place, "o"), "other\nsesame\n"),
                 server.url()]
        info = ["request", "$JS.API.STREAM.INFO.MADANG_default_news", ""]
        stream = json.dumps({"name": "MADANG_default_news", "retention": "workqueue",
                             "subjects": ["madang.default.m.news.*"], "storage": "file",
                             "max_bytes": 100000, "num_replicas": 1, "discard": "new"})
        expect("host a makes the stream of a channel", probe(
            *a, "request", "$JS.API.STREAM.CREATE.MADANG_default_news", stream), 0,
               '"name":"MADANG_default_news"', never=["denied", '"error"'])
        expect("host a sends under its own name",
               probe(*a, "publish", "madang.default.m.news.a", "1", *info), 0, '"messages":1,',
               never=["denied"])
        for subject in ("madang.default.m.news.b", "madang.default.h.b", "madang.default.i.b.x",
                        "madang.other.m.news.a", "$JS.API.STREAM.DELETE.MADANG_default_news",
                        "$JS.API.STREAM.PURGE.MADANG_default_news", "$JS.API.STREAM.PURGE.KV_x",
                        "anything"):
            expect(f"host a may not send {subject}", probe(*a, "publish", subject, ""), 0,
                   'denied: .*[Pp]ermissions [Vv]iolation')
        for subject in (">", "madang.>", "madang.default.i.b.>", "madang.default.m.>",
                        "_INBOX.>", "$JS.API.>", "$KV.>"):
            expect(f"host a may not listen to {subject}", probe(*a, "subscribe", subject, ""), 0,
                   'denied: .*[Pp]ermissions [Vv]iolation')
        for subject in ("madang.default.h.*", "madang.default.i.a.>", "madang.default.c.*"):
            expect(f"host a listens to {subject}", probe(*a, "subscribe", subject, ""), 0,
                   never=["denied"])
        listener = probe(*other, "subscribe", ">", "", later=True)
        while "listening" not in listener.stdout.readline():
            pass
        expect("host b sees that a message is there",
               probe(*b, "publish", "madang.default.h.b", "beat", *info), 0, '"messages":1,')
        heard = listener.communicate(timeout=30)[0]
        expect("another user hears nothing", (0, heard), 0, never=["got madang"])
        expect("another user has no such stream", probe(*other, *info), 0, "stream not found")
        expect("another user's message arrives nowhere",
               probe(*other, "publish", "madang.default.m.news.a", "forged"), 0)
        expect("... and the stream is as it was", probe(*b, *info), 0, '"messages":1,')


def main():
    for program in ("nats-server", "openssl"):
        if not find(program):
            print(f"skipped: {program} is missing")
            return 77
    signal.alarm(300)
    with tempfile.TemporaryDirectory(prefix="madang-security-") as place:
        check_tls(place)
        check_plain(place)
        check_users(place)
        check_creds(place)
        check_rights(place)
    print(f"{len(FAILED)} failed" if FAILED else "all is well")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
