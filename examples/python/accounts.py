#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""accounts.py - tellers move money between accounts, and are killed in the middle.

Run it: python3 accounts.py. It starts three tellers, which move sums between eight accounts in
shared memory, and kills each of them with SIGKILL after a while. A transfer changes two accounts.
It is made in a transaction, so it is there as a whole or not at all, whenever a teller dies. In the
end the program counts the money, and no penny is lost. Exit 0: so it was.
"""

import multiprocessing
import random
import struct
import sys
import time

import madang

ACCOUNTS = 8
JOURNAL = 256  # bytes: room for the writes of one transfer
DATA = (1024, ACCOUNTS * 8)  # where in the segment, and how many bytes


def bank_in(segment):
    return madang.Transaction(segment, 0, journal=JOURNAL, data=DATA, name="bank")


def teller(segment):
    """Moves money for ever. It gets the segment from its parent."""
    bank = bank_in(segment)
    while True:
        giver, taker = random.sample(range(ACCOUNTS), 2)
        with bank.begin() as run:  # when the block ends, both writes are made
            balance, = struct.unpack("q", run.read(giver * 8, 8))
            other, = struct.unpack("q", run.read(taker * 8, 8))
            penny = 1 if balance > 0 else 0
            run.write(giver * 8, struct.pack("q", balance - penny))
            run.write(taker * 8, struct.pack("q", other + penny))


def main():
    segment = madang.Segment.create(None, 4096)  # known by its id alone
    segment.remove()  # it goes when the last process ends
    bank = bank_in(segment)
    with bank.begin() as run:
        run.write(0, struct.pack("8q", *[100] * ACCOUNTS))

    tellers = [multiprocessing.Process(target=teller, args=(segment,)) for _ in range(3)]
    for process in tellers:
        process.start()
    for process in tellers:
        time.sleep(0.2)
        process.kill()
        process.join()

    with bank.begin(timeout=10) as run:
        balances = struct.unpack("8q", run.read(0, DATA[1]))
        print("the last owner was killed in the middle:", run.died)
    print("the accounts:", *balances)
    print("together:", sum(balances))
    return 0 if sum(balances) == 100 * ACCOUNTS else 1


if __name__ == "__main__":
    sys.exit(main())
