#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pool.py - a pool of workers, of which one is killed. No job is lost.

Three workers take jobs from a queue. One of them kills itself in the middle of a job, as a crash
would. The job that it held goes to another worker, who sees that it comes again. The results go
back through a second queue.

It prints:

    100 results, 1 of a job that came again

"""

import multiprocessing
import os

import madang


def work():
    # create=False: a worker that comes late, when all is done, shall not make the channels anew.
    with madang.Listener("jobs", kind="queue", create=False) as jobs, \
            madang.Talker("results", kind="queue", create=False) as results:
        while True:
            with jobs.peek() as message:  # held until the end of this block: not lost if we die
                job = int(bytes(message.data))
                if job == 42 and not message.redelivered:
                    os.kill(os.getpid(), 9)
                results.send(b"%d %d" % (job * job, message.redelivered))


def work_to_the_end():
    try:
        work()
    except FileNotFoundError:
        pass


def main():
    with madang.Talker("jobs", kind="queue") as jobs, \
            madang.Listener("results", kind="queue") as results:
        workers = [multiprocessing.Process(target=work_to_the_end) for _ in range(3)]
        for worker in workers:
            worker.start()
        for job in range(100):
            jobs.send(b"%d" % job)
        found = [tuple(map(int, results.receive(timeout=30).split())) for _ in range(100)]
        madang.remove_channel("jobs")
        madang.remove_channel("results")
        for worker in workers:
            worker.join()
    assert sorted(square for square, _ in found) == [job * job for job in range(100)]
    again = sum(redelivered for _, redelivered in found)
    print(f"{len(found)} results, {again} of a job that came again")


if __name__ == "__main__":
    main()
