/* SPDX-License-Identifier: MIT */
/*
 * boost.cpp - Boost.Interprocess's memory algorithm, in memory of a fixed size that processes
 * share. Built only where a C++ compiler and Boost's headers are found.
 */
#include "bench/heap/heap.h"

#include "bench/common/processes.h"

#include <boost/interprocess/managed_external_buffer.hpp>

#include <cerrno>
#include <new>
#include <sys/mman.h>

namespace ipc = boost::interprocess;

namespace
{

/* managed_external_buffer has no lock. These are the types of managed_shared_memory. */
typedef ipc::basic_managed_external_buffer<
	char, ipc::rbtree_best_fit<ipc::mutex_family, ipc::offset_ptr<void>>, ipc::iset_index>
	buffer;

const size_t memory_size = size_t(256) << 20;

struct boost_heap {
	void *memory;
	buffer *managed;
};

inline void *heap_take(heap_end *end, size_t size)
{
	return static_cast<buffer *>(end->own)->allocate(size, std::nothrow);
}

inline int heap_give(heap_end *end, void *block)
{
	static_cast<buffer *>(end->own)->deallocate(block);
	return 0;
}

#include "bench/heap/blocks.h"

bool boost_make(heap_game *game)
{
	boost_heap *heap = new boost_heap();

	game->heap = heap;
	heap->memory = shared_memory(memory_size);
	try {
		heap->managed = new buffer(ipc::create_only, heap->memory, memory_size);
	} catch (const ipc::interprocess_exception &) {
		errno = ENOMEM;
		return false;
	}
	return true;
}

void boost_remove(heap_game *game)
{
	boost_heap *heap = static_cast<boost_heap *>(game->heap);

	if (heap == nullptr)
		return;
	delete heap->managed;
	munmap(heap->memory, memory_size);
	delete heap;
}

bool boost_begin(heap_end *end)
{
	end->own = static_cast<boost_heap *>(end->game->heap)->managed;
	return true;
}

} // namespace

const struct heap_side *heap_side_boost(void)
{
	static struct heap_side side;

	side.name = "boost";
	side.shared = true;
	side.make = boost_make;
	side.remove = boost_remove;
	side.begin = boost_begin;
	side_plays(&side);
	return &side;
}
