/* SPDX-License-Identifier: MIT */
/*
 * deaths.h - what the parts of heap-deaths share: the blocks in the places, the ledger of what must
 * be there after a death, and the operations that are cut off.
 */
#ifndef MADANG_TESTS_HEAP_DEATHS_H
#define MADANG_TESTS_HEAP_DEATHS_H

#include "heap/heap.h"

#include "heap/held.h"

enum { JOURNAL = 1024, ALWAYS = 2 /* blocks that are always there: `place` and `txn` */ };
enum { PLACES = 16, SMALL = 1000, EIGHTH = 8000, MEDIUM = 40000, LARGE = 200000 };
enum { MAXIMUM = 4 << 20, LIMIT = 3 << 20 };

extern mdg_heap *heap;
extern struct mdg__heap *inside;
extern mdg_ref *place; /* so many */
extern mdg_txn *txn;   /* its data are the whole heap */
extern unsigned failures;
extern char context[200]; /* what is played */

#define MUST(expression)                                                                           \
	do {                                                                                       \
		if (!(expression) && failures++ < 20)                                              \
			fprintf(stderr, "%s: line %d: does not hold: %s\n", context, __LINE__,     \
			        #expression);                                                      \
	} while (0)

/* ---- deaths_ledger.c ----------------------------------------------------------------------- */

struct node {
	uint64_t magic;
	mdg_ref next; /* what was published over */
	uint64_t size;
	unsigned char bytes[];
};
#define MAGIC UINT64_C(0x6e6f6465a5a5a5a5)

struct node *node_fill(void *block, size_t size);
struct node *hold(size_t size);
bool node_is_whole(const struct node *node);
/* And what it was published over. */
void node_free(struct node *node);
/* What was free before the sweep is not freed by the sweep. */
void use_again(void);
/* All who were there are dead. `slack`: so many blocks may be reached by nobody. */
void settle_accounts(unsigned slack, size_t size);

/* ---- deaths_txn.c -------------------------------------------------------------------------- */

/* What an owner has committed and not carried out, is carried out. */
void txn_recover(void);
/* The same; and before that the dead are swept, and what is free is used. */
void txn_use_before_recovery(void);
/* Prepare: */
void txn_have_begun(void);
void txn_have_held(void);
void txn_have_replaced(void);
void txn_have_replaced_own(void);
void txn_have_dropped(void);
/* Operate: */
void txn_hold(void);
void txn_free(void);
void txn_drop(void);
void txn_commit(void);
void txn_cancel(void);
void txn_replace(void);

/* ---- deaths_scenes.c ----------------------------------------------------------------------- */

struct scenario {
	const char *name;
	unsigned least; /* points: fewer cannot be right */
	unsigned slack;
	size_t size;
	int filled;              /* places, by another process */
	void (*prepare)(void);   /* in the victim */
	void (*meanwhile)(void); /* in the other one; may be NULL */
	void (*operate)(void);   /* in the victim */
	const char *before;      /* a scenario that was cut off before, by a death; or NULL */
};

extern const struct scenario scenarios[];
extern const size_t scenario_count;
extern const struct scenario *now;

void fill_places(int from, int count, size_t size);
bool is_cold(const struct scenario *scenario);
bool is_trim(const struct scenario *scenario);
bool is_sweep(const struct scenario *scenario);
bool is_of_txn(const struct scenario *scenario);
bool is_after_txn(const struct scenario *scenario);
bool is_of_two(const struct scenario *scenario);
bool is_close(const struct scenario *scenario);
bool is_unlink(const struct scenario *scenario);
/* These die at their end. */
void leave_slab(void *argument);
void die_full(void *argument);

#endif
