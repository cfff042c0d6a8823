/* SPDX-License-Identifier: MIT */
/*
 * copies.c - a text goes from private memory into cells, and from cells into private memory.
 *
 * The caller's memory is never touched while the lock of a queue is held: it may fault, and a
 * fault may take long or kill. So a text makes a stop in private memory. Small ones stop on the
 * stack, others in one of a few buffers that the process has, and long ones in a mapping of their
 * own.
 */
#include "msgqueue/internal.h"

#include <sys/mman.h>

#include "platform/memory.h"

/* ---- private memory -------------------------------------------------------------------------- */

enum { POOL = 8 };

/* A buffer is taken by an exchange of its word (acquire; release when it is dropped). A thread that
 * leaves a call by siglongjmp may keep one. So may a forked child, of a thread that it has not. If
 * none is left, the way is longer, not wrong. */
static struct {
	_Atomic uint32_t taken[POOL];
	unsigned char bytes[POOL][MDG__COPY_POOLED];
} pool;

static bool take_pooled(struct mdg__copy *copy)
{
	for (int i = 0; i < POOL; i++) {
		if (MDG__GET(pool.taken[i]) == 0 &&
		    atomic_exchange_explicit(&pool.taken[i], 1, memory_order_acquire) == 0) {
			copy->pooled = i + 1;
			copy->bytes = pool.bytes[i];
			return true;
		}
	}
	return false;
}

int mdg__copy_get(struct mdg__copy *copy, uint64_t size)
{
	void *got = NULL;
	copy->mapped = 0;
	copy->pooled = 0;
	copy->bytes = copy->small;
	if (__builtin_expect(size <= MDG__COPY_SMALL, 1))
		return 0;
	if (size <= MDG__COPY_POOLED && take_pooled(copy))
		return 0;
	uint64_t page = mdg__page_size();
	uint64_t length = (size + page - 1) / page * page;
	if (length < size || length > SIZE_MAX / 2 ||
	    mdg__sys_mmap(NULL, (size_t)length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                  -1, 0, &got) < 0)
		return -ENOMEM;
	copy->bytes = got;
	copy->mapped = length;
	return 0;
}

void mdg__copy_drop(struct mdg__copy *copy)
{
	if (copy->pooled != 0)
		atomic_store_explicit(&pool.taken[copy->pooled - 1], 0, memory_order_release);
	if (copy->mapped != 0)
		(void)mdg__sys_munmap(copy->bytes, (size_t)copy->mapped);
	copy->pooled = 0;
	copy->mapped = 0;
	copy->bytes = copy->small;
}

/* ---- the cells of a text --------------------------------------------------------------------- */

/* A run of neighbouring cells. */
struct run {
	uint32_t last, next; /* its last cell, and the cell behind */
	uint32_t bytes;      /* in it, as far as they are wanted */
};

static inline uint32_t less(uint32_t one, uint32_t other)
{
	return one < other ? one : other;
}

/* [it is a cell] The links of neighbours are neighbours, as far as the block goes. */
static struct run run_from(const struct mdg__queue *queue, uint32_t cell, uint32_t size)
{
	const _Atomic uint32_t *link = mdg__link_of(queue, cell);
	uint32_t block = MDG__BLOCK_UNITS - cell % MDG__BLOCK_UNITS, cells = 1;
	uint32_t most = less(less(block, mdg__units(queue) - cell), (size - 1) / MDG__UNIT + 1);
	while (cells < most && MDG__GET(link[cells - 1]) == cell + cells)
		cells++;
	return (struct run){ .last = cell + cells - 1,
		             .next = MDG__GET(link[cells - 1]),
		             .bytes = less(cells * MDG__UNIT, size) };
}

/* Fills a cell. Somebody who looks at a list that has changed may still take the cell for a message
 * that it was before, and read what were the fields of that (turn.c). So these words are written as
 * such, relaxed: what is read there is thrown away. */
static inline void fill_cell(unsigned char *cell, const unsigned char *from)
{
	_Atomic uint64_t *words = (_Atomic uint64_t *)(void *)cell;
	uint64_t word;
	for (size_t i = 0; i < offsetof(struct mdg__message, text) / sizeof(word); i++) {
		memcpy(&word, from + i * sizeof(word), sizeof(word));
		MDG__PUT(words[i], word);
	}
	memcpy(cell + offsetof(struct mdg__message, text),
	       from + offsetof(struct mdg__message, text), MDG__TEXT_INSIDE);
}

/* The last cell of a text is filled up with zeros. */
static void fill_cells(unsigned char *cells, const unsigned char *from, uint32_t bytes)
{
	unsigned char last[MDG__UNIT] = { 0 };
	for (; bytes >= MDG__UNIT; bytes -= MDG__UNIT) {
		fill_cell(cells, from);
		cells += MDG__UNIT;
		from += MDG__UNIT;
	}
	if (bytes != 0) {
		memcpy(last, from, bytes);
		fill_cell(cells, last);
	}
}

int mdg__text_write(struct mdg__queue *queue, uint32_t cell, const void *text, uint32_t size,
                    uint32_t *ret_after)
{
	const unsigned char *from = text;
	uint32_t bytes = less(size, MDG__TEXT_INSIDE);
	if (bytes != 0)
		memcpy(mdg__message(queue, cell)->text, from, bytes);
	cell = MDG__GET(*mdg__link_of(queue, cell));
	while ((size -= bytes) != 0) {
		from += bytes;
		if (__builtin_expect(!mdg__is_cell(queue, cell), 0))
			return MDG_DAMAGED;
		struct run run = run_from(queue, cell, size);
		fill_cells(mdg__unit(queue, cell), from, run.bytes);
		bytes = run.bytes;
		cell = run.next;
	}
	*ret_after = cell;
	return 0;
}

/* A thread that is late may still try to make a link of what is now a text (turn.c). Its swap
 * fails. ThreadSanitizer takes it for a write. For its sake the bytes are read as atomic ones. */
static inline void read_bytes(unsigned char *to, const unsigned char *from, size_t size)
{
#if defined(__SANITIZE_THREAD__)
	const _Atomic unsigned char *bytes = (const _Atomic unsigned char *)from;
	for (size_t i = 0; i < size; i++)
		to[i] = MDG__GET(bytes[i]);
#else
	memcpy(to, from, size);
#endif
}

int mdg__text_read(struct mdg__queue *queue, uint32_t cell, void *ret, uint32_t size,
                   uint32_t length, uint32_t *ret_last)
{
	unsigned char *to = ret;
	uint32_t bytes = less(length, MDG__TEXT_INSIDE), last = cell;
	uint32_t wanted = less(size, bytes);
	if (wanted != 0)
		read_bytes(to, mdg__message(queue, cell)->text, wanted);
	cell = MDG__GET(*mdg__link_of(queue, cell));
	while ((length -= bytes) != 0) {
		size -= wanted;
		to += wanted;
		if (__builtin_expect(!mdg__is_cell(queue, cell), 0))
			return MDG_DAMAGED;
		struct run run = run_from(queue, cell, length);
		wanted = less(size, run.bytes);
		if (wanted != 0)
			read_bytes(to, mdg__unit(queue, cell), wanted);
		bytes = run.bytes;
		last = run.last;
		cell = run.next;
	}
	*ret_last = last;
	return 0;
}
