/* SPDX-License-Identifier: MIT */
/*
 * cell.c - the latest value, for one writer at a time and for readers that only read. cell.h is the
 * layout.
 *
 * A WRITER owns the word. It fills the buffer of version + 1, and then publishes version + 1. The
 * other three buffers stay as they are. They contain the latest value and the two before it.
 *
 * A READER reads the version v, copies buffer v % 4, and reads the version again. What it has
 * copied is value v, unless somebody stored into that buffer meanwhile. The next thread to store
 * into it is the writer of v + 4, and that writer begins after v + 3 was published. So the copy
 * is good if the version is still below v + 3. Otherwise the reader starts again.
 *
 * TWO FENCES. A reader that has copied even one byte of v + 4 must find that v + 3 is published.
 * Two fences make sure of it:
 *   F1, in the writer: after it learnt that v + 3 is published, before it stores to the buffer.
 *   F2, in the reader: after its last load from the buffer, before it loads the version again.
 *
 * DEATH. A writer that dies in the middle leaves the version as it was, and half a value in a
 * buffer that no reader takes. The next writer takes the word, and so learns of v + 3. It fills
 * the same buffer for the same v + 4. F1 holds for it as it did for the first.
 *
 * RACES. Buffers are read and written as atomic words, because a slow reader may read what a writer
 * stores. A caller that writes in place (mdg_cell_begin) uses ordinary stores. The hardware and the
 * compiler keep the order of the fences even then. By the letter of C it is a data race, and a
 * ThreadSanitizer that sees into this library reports it; the reader throws away what it read.
 *
 * THE SIZE. A reader looks at the size before and after its copy, too. The size is recorded by
 * the owner of the word, after it has filled the present buffer with zeros. mdg_cell_destroy
 * takes the size back. Both first raise the version by four. The present buffer is the same after
 * that, but the version is more than two above every version that a reader has seen, so the
 * reader's check fails. Thus a reader that copied while the buffers moved, or while the present
 * buffer was filled with zeros, sees that the version or the size has changed. (At version 0 no
 * reader can have seen a size, so the version need not change.) A reader never reads further
 * than the size that it was called with, whatever size is recorded.
 *
 * WHAT IT DOES NOT DO. Readers cannot wait for a new value; mdg_event is for that. A reader that is
 * overtaken again and again, by three values in the time of one copy, goes on trying.
 */
#include "sync/cell.h"

#include <string.h>

#include "platform/fence.h"

enum { BUFFERS = 4, STILL_WHOLE = BUFFERS - 2 /* versions that may be published meanwhile */ };

_Static_assert(MDG_CELL_MAX <= (SIZE_MAX - sizeof(mdg_cell)) / BUFFERS, "fits into 32 bits");

typedef _Atomic size_t word;

static struct mdg__cell *inside(mdg_cell *cell)
{
	return (struct mdg__cell *)(void *)cell;
}

static bool is_size(size_t size)
{
	return size != 0 && size <= MDG_CELL_MAX;
}

static size_t buffer_at(uint64_t version, size_t size)
{
	return sizeof(struct mdg__cell) + (size_t)(version % BUFFERS) * ((size + 63) / 64 * 64);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Relaxed: the loads around the copy order it. The last word may reach beyond the value, but not
 * beyond the buffer. */
static inline void copy_out(unsigned char *value, const word *from, size_t size)
{
	size_t next;
	for (; size >= sizeof(next); size -= sizeof(next), value += sizeof(next)) {
		next = atomic_load_explicit(from++, memory_order_relaxed);
		memcpy(value, &next, sizeof(next));
	}
	if (size != 0) {
		next = atomic_load_explicit(from, memory_order_relaxed);
		memcpy(value, &next, size);
	}
}

int mdg_cell_read(const mdg_cell *cell, void *value, size_t size, uint32_t *ret_version)
{
	const struct mdg__cell *in = (const struct mdg__cell *)(const void *)cell;
	uint64_t version, now;
	uint32_t recorded, again;
	if (!is_size(size))
		return -EINVAL;
	for (;;) {
		/* Acquire: pairs with publish; the size is no older than the version. */
		version = atomic_load_explicit(&in->version, memory_order_acquire);
		/* Acquire: pairs with size_record and destroy. */
		recorded = atomic_load_explicit(&in->size, memory_order_acquire);
		if (__builtin_expect(recorded == size, 1))
			copy_out(value, (const word *)((const char *)in + buffer_at(version, size)),
			         size);
		else if (recorded == 0)
			memset(value, 0, size);
		else
			return -EINVAL;
		/* F2: pairs with F1 in begin. */
		mdg__fence(memory_order_acquire);
		/* Acquire: as above, so that zeros go with the version that had no size. */
		again = atomic_load_explicit(&in->size, memory_order_acquire);
		now = atomic_load_explicit(&in->version, memory_order_relaxed);
		if (__builtin_expect(again == recorded &&
		                             now - version <= (recorded == 0 ? 0 : STILL_WHOLE),
		                     1))
			break;
	}
	if (ret_version != NULL)
		*ret_version = (uint32_t)version;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* [the word is held] */
static word *buffer_next(struct mdg__cell *in, uint64_t ahead, size_t size)
{
	uint64_t version = atomic_load_explicit(&in->version, memory_order_relaxed) + ahead;
	return (word *)(void *)((char *)in + buffer_at(version, size));
}

/* Records the size. The value is zeros until this writer publishes another. [the word is held] */
static void size_record(struct mdg__cell *in, size_t size)
{
	word *present = buffer_next(in, 0, size);
	for (size_t i = 0; i < (size + 63) / 64 * 64 / sizeof(word); i++)
		atomic_store_explicit(&present[i], 0, memory_order_relaxed);
	/* Release: pairs with the first load in mdg_cell_read. */
	atomic_store_explicit(&in->size, (uint32_t)size, memory_order_release);
}

/* [the word is held] */
static void publish(struct mdg__cell *in, uint64_t step)
{
	uint64_t version = atomic_load_explicit(&in->version, memory_order_relaxed);
	/* Release: pairs with the acquire in mdg_cell_read. */
	atomic_store_explicit(&in->version, version + step, memory_order_release);
}

/* Goes on after the word was taken with the result `rc`. Returns 0 or MDG_OWNER_DIED: the caller
 * may store to the next buffer. Returns another code: the word has been given back. If the size was
 * wrong, this caller is not told of a death, and the next one is. */
static int begin(struct mdg__cell *in, size_t size, int rc)
{
	if (rc != 0 && rc != MDG_OWNER_DIED)
		return rc;
	uint32_t untold = atomic_load_explicit(&in->writer.state, memory_order_relaxed);
	uint32_t recorded = atomic_load_explicit(&in->size, memory_order_relaxed);
	if (recorded != 0 && recorded != size) {
		if (rc == MDG_OWNER_DIED)
			atomic_store_explicit(&in->writer.state, MDG__UNREPAIRED,
			                      memory_order_relaxed);
		(void)mdg__owned_give(&in->writer);
		return -EINVAL;
	}
	/* Otherwise readers could take the zeros that are being stored for the value before. */
	if (__builtin_expect(recorded == 0, 0) &&
	    atomic_load_explicit(&in->version, memory_order_relaxed) != 0)
		publish(in, BUFFERS);
	/* F1: between the version, known by taking the word, and the stores; pairs with F2. */
	mdg__fence(memory_order_release);
	if (__builtin_expect(recorded == 0, 0))
		size_record(in, size);
	if (__builtin_expect(untold != 0, 0))
		atomic_store_explicit(&in->writer.state, 0, memory_order_relaxed);
	return untold != 0 ? MDG_OWNER_DIED : rc;
}

static inline void copy_in(word *to, const unsigned char *value, size_t size)
{
	size_t next;
	for (; size >= sizeof(next); size -= sizeof(next), value += sizeof(next)) {
		memcpy(&next, value, sizeof(next));
		atomic_store_explicit(to++, next, memory_order_relaxed);
	}
	if (size != 0) {
		next = 0;
		memcpy(&next, value, size);
		atomic_store_explicit(to, next, memory_order_relaxed);
	}
}

/* `rc` is the result of taking the word. */
static inline int write_taken(struct mdg__cell *in, const void *value, size_t size, int rc)
{
	rc = begin(in, size, rc);
	if (rc != 0 && rc != MDG_OWNER_DIED)
		return rc;
	copy_in(buffer_next(in, 1, size), value, size);
	publish(in, 1);
	(void)mdg__owned_give(&in->writer);
	return rc;
}

int mdg_cell_write_until(mdg_cell *cell, const void *value, size_t size, uint64_t deadline)
{
	struct mdg__cell *in = inside(cell);
	if (!is_size(size))
		return -EINVAL;
	return write_taken(in, value, size, mdg__owned_take(&in->writer, deadline));
}

int mdg_cell_write(mdg_cell *cell, const void *value, size_t size)
{
	return mdg_cell_write_until(cell, value, size, MDG_FOREVER);
}

int mdg_cell_trywrite(mdg_cell *cell, const void *value, size_t size)
{
	struct mdg__cell *in = inside(cell);
	if (!is_size(size))
		return -EINVAL;
	return write_taken(in, value, size, mdg__owned_try(&in->writer));
}

/* ---- writing in place -------------------------------------------------------------------- */

static int begin_taken(struct mdg__cell *in, size_t size, void **ret_place, int rc)
{
	rc = begin(in, size, rc);
	if (rc == 0 || rc == MDG_OWNER_DIED)
		*ret_place = buffer_next(in, 1, size);
	return rc;
}

int mdg_cell_begin_until(mdg_cell *cell, size_t size, uint64_t deadline, void **ret_place)
{
	struct mdg__cell *in = inside(cell);
	if (!is_size(size))
		return -EINVAL;
	return begin_taken(in, size, ret_place, mdg__owned_take(&in->writer, deadline));
}

int mdg_cell_begin(mdg_cell *cell, size_t size, void **ret_place)
{
	return mdg_cell_begin_until(cell, size, MDG_FOREVER, ret_place);
}

int mdg_cell_trybegin(mdg_cell *cell, size_t size, void **ret_place)
{
	struct mdg__cell *in = inside(cell);
	if (!is_size(size))
		return -EINVAL;
	return begin_taken(in, size, ret_place, mdg__owned_try(&in->writer));
}

int mdg_cell_commit(mdg_cell *cell)
{
	struct mdg__cell *in = inside(cell);
	if (!mdg__owned_is_mine(&in->writer))
		return -EPERM;
	publish(in, 1);
	return mdg__owned_give(&in->writer);
}

int mdg_cell_cancel(mdg_cell *cell)
{
	return mdg__owned_give(&inside(cell)->writer);
}

/* The version changes first. If this thread is killed before it changes the size, the value is
 * what it was. */
int mdg_cell_destroy(mdg_cell *cell)
{
	struct mdg__cell *in = inside(cell);
	int rc = mdg__owned_take_to_destroy(&in->writer);
	if (rc != 0)
		return rc;
	publish(in, BUFFERS);
	/* Release: a reader that sees this size sees the version. Pairs with the first load of
	 * the size in mdg_cell_read. */
	atomic_store_explicit(&in->size, 0, memory_order_release);
	atomic_store_explicit(&in->writer.state, 0, memory_order_relaxed);
	return mdg__owned_give(&in->writer);
}
