/* SPDX-License-Identifier: MIT */
/*
 * replica_peer.c - who commits a segment, and who reads its replica, for faults.py.
 *
 *     replica_peer commit DIRECTORY SEGMENT PAUSE ENOUGH
 *     replica_peer read DIRECTORY SEGMENT LEDGER
 *
 * Number N writes N into each word whose place leaves the rest that N leaves, by STRIDE. So what is
 * in each word follows from the last number, and two numbers in one view are seen. The reader
 * writes generation and number into its ledger whenever they change. Who commits prints the last
 * number when there is a file ENOUGH.
 *
 * $MADANG_SPOIL=half: now and then, a commit has half of a number.
 */
#include <madang/replica.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 20000, BYTES = WORDS * 8, STRIDE = 37, WAIT_NS = 200000000 };

struct entry {
	uint64_t generation, number;
};

static mdg_namespace *ns;

static int fail(const char *what, int rc)
{
	fprintf(stderr, "replica_peer: %s: %s\n", what, mdg_strerror(rc));
	return 1;
}

static void pause_for(long microseconds)
{
	struct timespec time = { microseconds / 1000000, microseconds % 1000000 * 1000 };
	(void)nanosleep(&time, NULL);
}

/* What is at this place after this number. */
static uint64_t word_of(uint64_t number, unsigned place)
{
	uint64_t since = (number + STRIDE - place % STRIDE) % STRIDE;

	return number > since ? number - since : 0;
}

/* The number of a whole generation; UINT64_MAX: it is none. */
static uint64_t number_of(const uint64_t *words)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < STRIDE; i++)
		number = words[i] > number ? words[i] : number;
	for (unsigned i = 0; i < WORDS; i++)
		if (words[i] != word_of(number, i))
			return UINT64_MAX;
	return number;
}

/* ---- who commits ------------------------------------------------------------------ */

static void write_number(uint64_t *words, uint64_t number)
{
	const char *spoil = getenv("MADANG_SPOIL");
	bool half = spoil != NULL && strcmp(spoil, "half") == 0 && number % 50 == 0;

	for (unsigned i = 0; i < (half ? WORDS / 2 : WORDS); i++)
		words[i] = word_of(number, i);
}

static int commit_all(mdg_replica *replica, uint64_t *words, long pause, const char *enough)
{
	const struct mdg_range all = { 0, BYTES };
	uint64_t number = 1;

	/* One that was killed may have written half of it. */
	for (unsigned i = 0; i < WORDS; i++)
		number = words[i] > number ? words[i] : number;
	for (;; number++) {
		write_number(words, number);
		int rc = mdg_segment_commit(replica, number % 2 != 0 ? &all : NULL, 1, MDG_FOREVER,
		                            NULL);
		if (rc != 0)
			return fail("commit", rc);
		if (access(enough, F_OK) == 0)
			break;
		pause_for(pause);
	}
	printf("%" PRIu64 "\n", number);
	return 0;
}

static int commit(const char *name, long pause, const char *enough)
{
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = MDG_REPLICA_COMMIT };
	mdg_replica *replica = NULL;
	void *memory = NULL;
	mdg_id id;
	int rc = mdg_segment_create(ns, name, BYTES, 0600, MDG_OR_OPEN, &id);

	if (rc == 0)
		rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc == 0)
		rc = mdg_replica_open(&replica, ns, name, &options);
	return rc == 0 ? commit_all(replica, memory, pause, enough) : fail("open", rc);
}

/* ---- who reads ---------------------------------------------------------------------- */

static int note(int ledger, uint64_t generation, uint64_t number)
{
	struct entry entry = { generation, number };

	return write(ledger, &entry, sizeof entry) == (ssize_t)sizeof entry ? 0 : MDG_BROKEN;
}

/* Until the replica is removed. */
static int read_all(mdg_replica *replica, int ledger)
{
	static uint64_t words[WORDS];
	uint64_t last = 0, generation, number;
	int rc;

	for (;;) {
		do
			rc = mdg_replica_read(replica, 0, words, BYTES, &generation);
		while (rc == -EAGAIN);
		if (rc != 0)
			return rc;
		number = number_of(words);
		if (number == UINT64_MAX)
			return fail("half of a generation", MDG_BROKEN);
		if (generation != last && note(ledger, generation, number) != 0)
			return fail("the ledger", MDG_BROKEN);
		last = generation;
		rc = mdg_replica_wait(replica, last, mdg_deadline(WAIT_NS), NULL);
		if (rc != 0 && rc != -ETIMEDOUT)
			return rc;
	}
}

static int read_on(const char *name, const char *path)
{
	int ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	for (;;) {
		mdg_replica *replica = NULL;
		int rc = mdg_replica_open(&replica, ns, name, NULL);

		if (rc == 0)
			rc = read_all(replica, ledger);
		mdg_replica_close(replica);
		/* There is none yet, or it is made anew. */
		if (rc != -ENOENT && rc != -EIDRM && rc != MDG_NOT_REPLICA)
			return rc == 1 ? 1 : fail("read", rc);
		pause_for(10000);
	}
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	int rc = mdg_namespace_open(&ns, argv[2], NULL);
	if (rc != 0)
		return fail("namespace", rc);
	if (strcmp(argv[1], "read") == 0)
		return read_on(argv[3], argv[4]);
	return argc < 6 ? 2 : commit(argv[3], strtol(argv[4], NULL, 10), argv[5]);
}
