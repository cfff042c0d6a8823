/* SPDX-License-Identifier: MIT */
/*
 * deaths_txn.c - transactions that hold and free blocks: what is cut off. See deaths.c.
 *
 * A transaction replaces the block in a place. It also writes to the old block. So if the old one
 * were freed before the writes are carried out, they would destroy another block.
 */
#include "heap/deaths.h"

enum { AT = 1, AT_OWN = 2 };

static mdg_txn_run run;
static void *fresh;

static void begin(void)
{
	int rc = mdg_txn_begin(&run, txn, JOURNAL, heap->base, (size_t)heap->extent);
	if (rc != 0 && rc != MDG_OWNER_DIED)
		_exit(96);
}

static void must(bool true_)
{
	if (!true_)
		_exit(95);
}

void txn_recover(void)
{
	begin();
	must(mdg_txn_cancel(&run) == 0);
}

/* A block that was freed before the journal is carried out, is one of these. The journal would
 * write to it. */
void txn_use_before_recovery(void)
{
	enum { MANY = 256 };
	unsigned char *got[MANY];
	(void)mdg_heap_sweep(heap);
	for (int i = 0; i < MANY; i++) {
		got[i] = mdg_alloc(heap, SMALL);
		MUST(got[i] != NULL);
		memset(got[i], 0xee, SMALL);
	}
	txn_recover();
	for (int i = 0; i < MANY; i++) {
		int same = 0; /* otherwise a record was copied too late */
		while (same < SMALL && got[i][same] == 0xee)
			same++;
		MUST(same == SMALL);
		MUST(mdg_free(heap, got[i]) == 0);
	}
}

/* ---- parts of transactions ----------------------------------------------------------------- */

static void write_ref(mdg_ref *at, mdg_ref ref)
{
	must(mdg_txn_write(&run, at, &ref, sizeof ref) == 0);
}

/* A node that looks like those of the ledger, written by the transaction itself. */
static void write_node(struct node *node)
{
	struct node head = { MAGIC, 0, now->size };
	must(mdg_txn_write(&run, node, &head, sizeof head) == 0);
}

void txn_hold(void)
{
	fresh = mdg_txn_hold(heap, &run, now->size);
	must(fresh != NULL);
}

static void replace(int at)
{
	mdg_ref old = place[at];
	txn_hold();
	(void)node_fill(fresh, now->size);
	write_ref(&place[at], mdg_ref_of(heap, fresh));
	write_node(mdg_at(heap, old));
	must(mdg_txn_free(heap, &run, mdg_at(heap, old)) == 0);
}

/* ---- prepare ------------------------------------------------------------------------------- */

static void warm(void)
{
	must(mdg_free(heap, mdg_hold(heap, now->size)) == 0);
}

void txn_have_begun(void)
{
	warm();
	begin();
}

void txn_have_held(void)
{
	txn_have_begun();
	txn_hold();
}

void txn_have_replaced(void)
{
	txn_have_begun();
	replace(AT);
}

void txn_have_replaced_own(void)
{
	fill_places(AT_OWN, 1, now->size);
	txn_have_begun();
	replace(AT_OWN);
}

void txn_have_dropped(void)
{
	txn_have_held();
	write_node(fresh);
	must(mdg_txn_free(heap, &run, fresh) == 0);
}

/* ---- operate ------------------------------------------------------------------------------- */

void txn_free(void)
{
	must(mdg_txn_free(heap, &run, mdg_at(heap, place[AT])) == 0);
}

void txn_drop(void)
{
	must(mdg_txn_free(heap, &run, fresh) == 0);
}

void txn_commit(void)
{
	must(mdg_txn_commit(&run) == 0);
}

void txn_cancel(void)
{
	must(mdg_txn_cancel(&run) == 0);
}

void txn_replace(void)
{
	begin();
	replace(AT);
	txn_commit();
}
