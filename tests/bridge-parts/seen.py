#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# seen BIN - two real bridges: rules that are read again without loss, what the status says while the
# server is away, how a bridge ends and what its exit says.
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BIN = sys.argv[1]
shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
base = tempfile.mkdtemp(prefix="madang-seen-", dir=shm)
started = []
wrong = []


def program(name):
    return os.path.join(BIN, name)


def start(*command, host="a", **how):
    environment = dict(os.environ, MADANG_NAMESPACE=os.path.join(base, host))
    process = subprocess.Popen(command, env=environment, text=True, **how)
    started.append(process)
    return process


def run(*command, host="a", feed=None):
    environment = dict(os.environ, MADANG_NAMESPACE=os.path.join(base, host))
    return subprocess.run(command, env=environment, input=feed, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)


def check(what, holds, more=""):
    if not holds:
        wrong.append(what)
        print(f"{what}: does not hold {more}")


def wait_for(what, condition, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    check(what, False)
    return False


def log_of(host):
    with open(f"{base}/{host}.log", encoding="utf-8") as file:
        return file.read()


def bridge(host, *options):
    with open(f"{base}/{host}.log", "a", encoding="utf-8") as log:
        return start(program("madang-bridge"), "--host", host, *options, host=host, stderr=log)


def status(host):
    done = run(program("madang-bridge"), "--status", "--json", host=host)
    return json.loads(done.stdout)["bridge"]


def row(host, channel, direction):
    said = status(host)
    for one in said["channels"] if said else []:
        if one["channel"] == channel and one["direction"] == direction:
            return one
    return None


def is_connected(host):
    said = status(host)
    return bool(said) and said["state"] == "connected"


def write_rules(text):
    with open(f"{base}/rules", "w", encoding="utf-8") as file:
        file.write(text)


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split()


def listen(channel):
    with open(f"{base}/{channel}.out", "a", encoding="utf-8") as out:
        return start(program("madang"), "listen", channel, host="b", stdout=out)


def arrived(channel, count):
    return lambda: len(lines_of(f"{base}/{channel}.out")) >= count


def talk(channel, first, last):
    feed = "".join(f"{i}\n" for i in range(first, last + 1))
    done = run(program("madang"), "talk", channel, feed=feed)
    check(f"talk {channel}", done.returncode == 0, done.stdout)


def start_server(port):
    server = start(nats, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", f"{base}/store",
                   "--ports_file_dir", base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ports = f"{base}/nats-server_{server.pid}.ports"

    def said():
        if not os.path.exists(ports):
            return None
        with open(ports, encoding="utf-8") as file:
            return re.search(r"127\.0\.0\.1:(\d+).*}", file.read())
    wait_for("the server starts", said)
    return server, int(said().group(1))


def reload_rules(ours):
    """Rules change under a stream that goes on, and one that stops and comes again."""
    listeners = [listen("kept"), listen("gone")]
    talk("kept", 1, 500)
    talk("gone", 1, 500)
    wait_for("both cross", lambda: arrived("kept", 500)() and arrived("gone", 500)())
    feeding = start(program("madang"), "talk", "kept", stdin=subprocess.PIPE)
    for i in range(501, 20001):
        feeding.stdin.write(f"{i}\n")
        if i == 5000:
            feeding.stdin.flush()
            write_rules("deny both gone\nallow out *\n")
            ours.send_signal(signal.SIGHUP)
    feeding.stdin.close()
    wait_for("a denied channel has no row", lambda: row("a", "gone", "out") is None)
    talk("gone", 501, 600)
    wait_for("the other one goes on", arrived("kept", 20000))
    check("in order, once", lines_of(f"{base}/kept.out") == [str(i) for i in range(1, 20001)])
    moving = re.findall(r"pump-moving channel=\"kept\" direction=out", log_of("a"))
    check("its pump is not touched", len(moving) == 1, str(moving))
    # A mistake: the old rules stay.
    write_rules("allow out *\nalow out gone\n")
    ours.send_signal(signal.SIGHUP)
    wait_for("a mistake is said",
             lambda: re.search(r"error rules-not-read .*rules:2:1: ", log_of("a")))
    talk("kept", 20001, 20100)
    wait_for("the old rules stay", arrived("kept", 20100))
    check("what is denied does not cross", len(lines_of(f"{base}/gone.out")) == 500)
    write_rules("allow out *\n")
    ours.send_signal(signal.SIGHUP)
    wait_for("what was denied crosses", arrived("gone", 600))
    check("all of it, once", lines_of(f"{base}/gone.out") == [str(i) for i in range(1, 601)])
    return listeners


def server_away(server, port):
    """The status while there is no server, and after."""
    server.send_signal(signal.SIGKILL)
    server.wait()
    wait_for("cut off is seen", lambda: status("a")["state"] == "cut off")
    check("and why", status("a")["error"] is not None)
    shown = run(program("madang"), "channels").stdout
    check("channels shows it", re.search(r'^"kept" .*  cut off', shown, re.M), shown)
    talk("kept", 20101, 20200)
    wait_for("what lags is seen", lambda: row("a", "kept", "out")["lag"] == 100)
    server, _ = start_server(port)
    wait_for("it is back", lambda: is_connected("a") and status("a")["reconnects"] >= 1)
    wait_for("nothing is lost", arrived("kept", 20200))
    check("in order, once", lines_of(f"{base}/kept.out") == [str(i) for i in range(1, 20201)])
    wait_for("nothing lags", lambda: row("a", "kept", "out")["lag"] == 0)
    return server


def sleeps(ours):
    """Nothing moves: the bridge sleeps, but for its heartbeats."""
    def used():
        with open(f"/proc/{ours.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    time.sleep(0.3)
    before = used()
    time.sleep(2)
    ticks = used() - before
    check("it sleeps", ticks <= 10, f"{ticks} ticks of 200")


def ends(ours, theirs, url):
    """Exits that say why."""
    other = run(program("madang-bridge"), "--url", url, "--channel", "x")
    check("another bridge: 4", other.returncode == 4 and "other-bridge" in other.stdout,
          other.stdout)
    ours.send_signal(signal.SIGINT)
    check("Ctrl-C: 0", ours.wait(timeout=10) == 0)
    check("it says so", re.search(r"info ending signal=SIGINT\n.*info ended exit=0", log_of("a")))
    check("nothing stays", status("a") is None)
    theirs.kill()
    theirs.wait()
    wait_for("a kill is seen", lambda: status("b")["state"] == "dead")
    theirs = bridge("b", "--url", url, "--channel", "kept")
    wait_for("the next one takes it over", lambda: is_connected("b"))
    theirs.terminate()
    check("SIGTERM: 0", theirs.wait(timeout=10) == 0)
    for line in (log_of("a") + log_of("b")).splitlines():
        check("a line is an event",
              re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn|info) [a-z-]+", line), line)


nats = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")
if nats is None:
    print("skipped: there is no nats-server")
    sys.exit(77)
try:
    own_server, its_port = start_server(-1)
    its_url = f"nats://127.0.0.1:{its_port}"
    write_rules("allow both *\n")
    for name in ("kept", "gone"):
        talk(name, 1, 0)
    here = bridge("a", "--url", its_url, "--rules", f"{base}/rules")
    there = bridge("b", "--url", its_url, "--channel", "kept", "--channel", "gone",
                   "--direction", "in")
    wait_for("both are connected", lambda: is_connected("a") and is_connected("b"))
    reload_rules(here)
    own_server = server_away(own_server, its_port)
    sleeps(here)
    ends(here, there, its_url)
finally:
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait()
    if wrong:
        print(log_of("a")[-4000:], "----", log_of("b")[-3000:], sep="\n")
    shutil.rmtree(base, ignore_errors=True)
sys.exit(1 if wrong else 0)
