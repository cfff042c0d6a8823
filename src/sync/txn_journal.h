/* SPDX-License-Identifier: MIT */
/*
 * txn_journal.h - the records in the journal of a running transaction: checking, summing, copying.
 *
 * TRUST. Everybody can write to the journal. So each number of a record is read once and compared
 * with what the owner knows, before it is used. What is taken from the journal by a walk that
 * checks it may be used later without another look.
 *
 * All of it is inline: a commit of a few words takes about as long as the calls would.
 */
#ifndef MADANG_SYNC_TXN_JOURNAL_H
#define MADANG_SYNC_TXN_JOURNAL_H

#include <string.h>

#include "sync/txn.h"

/* The caller's `mdg_txn_run`: private memory of the owner. */
struct mdg__run {
	struct mdg__txn *txn; /* NULL: none is running */
	unsigned char *data;
	size_t size, journal, used;
	struct mdg__txn_guest *guest; /* NULL: none */
};
_Static_assert(sizeof(struct mdg__run) <= sizeof(mdg_txn_run), "");

static inline unsigned char *mdg__journal_of(struct mdg__txn *txn)
{
	return (unsigned char *)txn + sizeof(*txn);
}

static inline bool mdg__apart(uintptr_t one, size_t one_size, uintptr_t other, size_t other_size)
{
	return one < other ? other - one >= one_size : one - other >= other_size;
}

/* The object may lie in the data. Then no write may reach it. `offset`: in the data. */
static inline bool mdg__journal_spares(const struct mdg__run *run, size_t offset, size_t size)
{
	return mdg__apart(offset, size, (uintptr_t)run->txn - (uintptr_t)run->data,
	                  MDG_TXN_SIZE(run->journal));
}

enum { MDG__RECORD_HEAD = sizeof(struct mdg__record) };

struct mdg__record_view {
	size_t offset, length; /* lies in the data */
	const unsigned char *bytes;
};

/* Reads the word exactly once. */
static inline uint64_t mdg__journal_word(const unsigned char *at)
{
	return *(const volatile uint64_t *)(const void *)at;
}

/* Words are written most: of these the compiler makes a load and a store. */
static inline void mdg__journal_copy_bytes(void *to, const void *from, size_t size)
{
	if (size == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, size);
}

/* Gets the record at *at, and moves *at behind it. False: there can be no record. [*at <
 * run->used, and both are multiples of 8] */
static inline bool mdg__record_at(const struct mdg__run *run, size_t *at,
                                  struct mdg__record_view *ret)
{
	const unsigned char *record = mdg__journal_of(run->txn) + *at;
	size_t room = run->used - *at;
	if (room < MDG__RECORD_HEAD)
		return false;
	room -= MDG__RECORD_HEAD;
	uint64_t offset = mdg__journal_word(record + offsetof(struct mdg__record, offset));
	uint64_t length = mdg__journal_word(record + offsetof(struct mdg__record, length));
	if (length == 0 || length > room || length > run->size || offset > run->size - length ||
	    !mdg__journal_spares(run, (size_t)offset, (size_t)length))
		return false;
	*ret = (struct mdg__record_view){ (size_t)offset, (size_t)length,
		                          record + MDG__RECORD_HEAD };
	*at += MDG__RECORD_HEAD + ((size_t)length + 7) / 8 * 8;
	return true;
}

/* Each step is a bijection. So if one word alone is changed, the sum is never the same. */
static inline uint64_t mdg__sum_step(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0xff51afd7ed558ccd);
	return sum ^ sum >> 32;
}

/* What a walk over the journal has found. If it has few records, each of one word, `words` is their
 * number. Then they are here as well, and the journal need not be read and checked again. */
enum { MDG__TALLY_WORDS = 4 };
struct mdg__tally {
	uint64_t sum;
	unsigned words;
	struct {
		size_t offset;
		uint64_t value;
	} word[MDG__TALLY_WORDS];
};

/* Checks all records, and makes their sum. False: there can be no such journal. */
static inline bool mdg__journal_tally(const struct mdg__run *run, struct mdg__tally *ret)
{
	const unsigned char *journal = mdg__journal_of(run->txn);
	uint64_t sum = run->used + UINT64_C(0x9e3779b97f4a7c15), word = 0;
	struct mdg__record_view view;
	bool few = true;
	ret->words = 0;
	for (size_t at = 0, from = MDG__RECORD_HEAD; at < run->used; from = at + MDG__RECORD_HEAD) {
		if (!mdg__record_at(run, &at, &view))
			return false;
		sum = mdg__sum_step(mdg__sum_step(sum, view.offset), view.length);
		for (; from < at; from += 8) {
			word = mdg__journal_word(journal + from);
			sum = mdg__sum_step(sum, word);
		}
		few = few && view.length == 8 && ret->words < MDG__TALLY_WORDS;
		if (few) {
			ret->word[ret->words].offset = view.offset;
			ret->word[ret->words++].value = word;
		}
	}
	ret->words = few ? ret->words : 0;
	ret->sum = sum;
	return true;
}

/* False: the journal has changed since it was checked. */
static inline bool mdg__journal_copy(const struct mdg__run *run)
{
	struct mdg__record_view view;
	size_t at = 0;
	while (at < run->used) {
		if (!mdg__record_at(run, &at, &view))
			return false;
		mdg__journal_copy_bytes(run->data + view.offset, view.bytes, view.length);
	}
	return true;
}

#endif
