/* SPDX-License-Identifier: MIT */
/*
 * pair.h - runs a program twice, on the kernel and on Madang, at the same time.
 *
 * Each run is enclosed (support/enclose.c), so there are no segments of others.
 */
#ifndef MADANG_TESTS_DIFFERENTIAL_PAIR_H
#define MADANG_TESTS_DIFFERENTIAL_PAIR_H

#include "differential/compare.h"

enum side { KERNEL, MADANG, SIDES };

struct setup {
	const char *self;    /* this program, which also is what runs on the kernel */
	const char *subject; /* what runs on Madang: the same, or built with it */
	const char *preload; /* library; NULL: none */
	const char *enclose;
	bool same; /* the kernel on both sides: shows what is not Madang's doing */
	bool no_exec, no_copy;
	int timeout;        /* seconds for a run */
	char directory[64]; /* of the worlds */
};

struct pair {
	const struct setup *setup;
	char path[SIDES][96];
	struct world *world[SIDES];
	size_t size;
	pid_t pid[SIDES];
};

/* Room for programs of up to this many steps. */
void pair_init(struct pair *pair, const struct setup *setup, size_t steps);
void pair_fini(struct pair *pair);
/* The files of all pairs; for a signal handler. */
void pair_unlink_all(void);
void pair_start(struct pair *pair, const struct program *program);
/* Waits for both. True: they differ. */
bool pair_finish(struct pair *pair, struct difference *ret_difference);
bool pair_run(struct pair *pair, const struct program *program, struct difference *ret_difference);

/* tally.c: what was compared. */
void tally_add(const struct world *kernel, const struct world *madang);
void tally_print(void);

/* shrink.c: leaves out steps for as long as the same difference shows. */
void shrink(struct pair *pair, struct program *program, struct difference *difference);

#endif
