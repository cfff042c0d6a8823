#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shared_array.py - a numpy array of 100 MB goes to another process, and nothing is copied.

One process makes the array in a block of shared memory, and sends the name of the block. The other
process opens it, and has the same memory as an array. When both have ended, the memory is gone,
however they ended.

It prints:

    the sum is 12500000
    the first number is 7 now

"""

import multiprocessing

import numpy

import madang
from madang.shared_memory import SharedMemory

COUNT = 12_500_000


def other():
    with madang.Listener("arrays") as arrays:
        block = SharedMemory(arrays.receive().decode())
    array = numpy.frombuffer(block.buf, dtype="f8", count=COUNT)
    print(f"the sum is {int(array.sum())}", flush=True)
    array[0] = 7
    del array  # before the block is closed: BufferError otherwise
    block.close()


def main():
    process = multiprocessing.Process(target=other)
    process.start()
    block = SharedMemory(create=True, size=COUNT * 8)
    array = numpy.frombuffer(block.buf, dtype="f8", count=COUNT)
    array[:] = 1
    with madang.Talker("arrays") as arrays:
        arrays.send(block.name.encode())
    process.join()
    print(f"the first number is {int(array[0])} now")
    del array
    block.close()
    madang.remove_channel("arrays")


if __name__ == "__main__":
    main()
