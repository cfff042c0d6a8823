/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - as functions, what <madang/sync.h> computes with macros. A program
 * in another language can call a function, but cannot use a macro.
 */
#include "madang/sync.h"

#define JOURNAL_LEAST 64u
#define JOURNAL_MOST  0x80000000u

size_t mdg_cell_size(size_t value_size)
{
	return value_size == 0 || value_size > MDG_CELL_MAX ? 0 : MDG_CELL_SIZE(value_size);
}

size_t mdg_txn_size(size_t journal)
{
	return journal < JOURNAL_LEAST || journal > JOURNAL_MOST ? 0 : MDG_TXN_SIZE(journal);
}
