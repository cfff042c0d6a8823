# SPDX-License-Identifier: MIT
"""multiprocessing.managers.SharedMemoryManager for the blocks of madang.shared_memory.

    with madang.managers.SharedMemoryManager() as manager:
        block = manager.SharedMemory(size=1000)
        numbers = manager.ShareableList(range(10))
        ...

The server process of the manager has each block open. So a block lives until the manager ends, or
is told to release the block, even if those who use it close it in between. If the process that
started the manager is killed, the server ends, and with it the blocks: nothing stays.
"""

import os
import threading
from multiprocessing import connection, managers, process
from typing import Any, Dict, Iterable, List

from .shareable_list import Item
from .shared_memory import ShareableList, SharedMemory

__all__ = ["SharedMemoryManager"]


class _Blocks:
    """The blocks that the server has open, by name."""

    def __init__(self) -> None:
        self._open: Dict[str, SharedMemory] = {}

    def track(self, name: str) -> None:
        self._open[name] = SharedMemory(name)

    def release(self, name: str) -> None:
        block = self._open.pop(name)
        block.close()
        try:
            block.unlink()
        except FileNotFoundError:
            pass  # a user has unlinked it

    def release_all(self) -> None:
        for name in self.names():
            self.release(name)

    def names(self) -> List[str]:
        return list(self._open)


_PythonsServer: Any = managers.Server


class _Server(_PythonsServer):  # type: ignore[misc]
    """The server process."""

    public = [*_PythonsServer.public, "track_segment", "release_segment", "list_segments"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._blocks = _Blocks()

    def serve_forever(self) -> None:
        threading.Thread(target=self._end_with_parent, daemon=True).start()
        super().serve_forever()

    def _end_with_parent(self) -> None:
        parent = process.parent_process()
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    def shutdown(self, c: Any) -> None:
        self._blocks.release_all()
        super().shutdown(c)

    def track_segment(self, c: Any, name: str) -> None:
        self._blocks.track(name)

    def release_segment(self, c: Any, name: str) -> None:
        self._blocks.release(name)

    def list_segments(self, c: Any) -> List[str]:
        return self._blocks.names()


class SharedMemoryManager(managers.BaseManager):
    """Makes blocks and lists that live as long as the manager, see multiprocessing.managers.

    Raises ValueError if it was not started, and what SharedMemory and ShareableList raise.
    """

    _Server = _Server

    def _track(self, name: str) -> None:
        me: Any = self
        python: Any = managers
        with me._Client(me._address, authkey=me._authkey) as client:
            python.dispatch(client, None, "track_segment", (name,))

    def SharedMemory(self, size: int) -> SharedMemory:
        """A new block of `size` bytes."""
        self._started()
        block = SharedMemory(create=True, size=size)
        self._track(block.name)
        return block

    def ShareableList(self, sequence: Iterable[Item]) -> ShareableList:
        """A new list of these items."""
        self._started()
        items = ShareableList(sequence)
        self._track(items.shm.name)
        return items

    def _started(self) -> None:
        me: Any = self
        python: Any = managers
        if me._state.value != python.State.STARTED:
            raise ValueError("the manager was not started, or has ended")
