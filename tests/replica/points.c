/* SPDX-License-Identifier: MIT */
/*
 * points.c - death between the instructions of a commit, of a bridge's generation, and of the
 * making of a replica. Before and after it a reader sees a whole generation, and the next commits
 * go on: the copy that the dead one has left half made is right when it is shown.
 */
#include "replica/replicas.h"
#include "sync/stepped.h"

enum { MOST = 100000 };

enum what { COMMITS, COMPARES, APPLIES, MAKES };
static enum what what;

/* The second of two commits changes other blocks than the one that dies. */
static const struct mdg_range low = { 0, 8 * 60 };
static const struct mdg_range high = { 4096, 8 * 20 };

static void write_low(uint64_t number)
{
	for (unsigned i = 0; i < 60; i++)
		words[i] = number;
}

static void write_high(uint64_t number)
{
	for (unsigned i = 512; i < 532; i++)
		words[i] = number;
}

static void victim_of(void *unused)
{
	int rc = 0;
	(void)unused;
	ns = unit_open("points", NULL);
	open_segment("s");
	mdg_replica *writer = what == MAKES ? NULL : open_as("s", MDG_REPLICA_COMMIT, 0);
	mdg_replica *to = what == APPLIES ? open_as("t", MDG_REPLICA_APPLY, 0) : NULL;
	if (what != APPLIES)
		write_high(3);
	stepped_here();
	switch (what) {
	case COMMITS:
		rc = mdg_segment_commit(writer, &high, 1, MDG_FOREVER, NULL);
		break;
	case COMPARES:
		rc = mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL);
		break;
	case APPLIES:
		rc = carry(writer, to, 1, 1);
		break;
	case MAKES:
		open_as("s", MDG_REPLICA_COMMIT, 0);
		break;
	}
	stepped_end(rc == 0);
}

static void arrange(void)
{
	mdg_id id;
	(void)mdg_replica_remove(ns, "s");
	(void)mdg_replica_remove(ns, "t");
	if (mdg_segment_open(ns, "s.replica", 0, 0, &id) == 0)
		(void)mdg_segment_remove(ns, id);
	fill(1);
	if (what == MAKES)
		return;
	mdg_replica *writer = open_as("s", MDG_REPLICA_COMMIT, 0);
	CHECK_RC(0, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	if (what == APPLIES) {
		mdg_replica *to = open_as("t", MDG_REPLICA_APPLY, BYTES);
		CHECK_RC(0, carry(writer, to, 0, 1));
		mdg_replica_close(to);
		write_high(3);
	}
	write_low(2);
	CHECK_RC(0,
	         mdg_segment_commit(writer, what == APPLIES ? NULL : &low, 1, MDG_FOREVER, NULL));
	mdg_replica_close(writer);
}

/* What a generation may look like: the low part and the high part, each of one number, and 1 in
 * between. */
static bool is_whole(mdg_replica *replica, uint64_t lower, uint64_t higher)
{
	static uint64_t seen[WORDS];
	CHECK_RC(0, mdg_replica_read(replica, 0, seen, BYTES, NULL));
	for (unsigned i = 0; i < WORDS; i++) {
		uint64_t wanted = i < 60 ? lower : i >= 512 && i < 532 ? higher : 1;
		if (seen[i] != wanted)
			return false;
	}
	return true;
}

static void after_commit(bool done)
{
	mdg_replica *reader = open_as("s", 0, 0);
	mdg_replica *writer = open_as("s", MDG_REPLICA_COMMIT, 0);
	CHECK(is_whole(reader, 2, 1) ? !done : is_whole(reader, 2, 3));
	/* The next one changes the low part only, by its ranges. */
	write_low(4);
	bool had = is_whole(reader, 2, 3);
	CHECK_RC(0, mdg_segment_commit(writer, &low, 1, MDG_FOREVER, NULL));
	CHECK(is_whole(reader, 4, had ? 3 : 1));
	write_high(5);
	CHECK_RC(0, mdg_segment_commit(writer, &high, 1, MDG_FOREVER, NULL));
	CHECK(is_whole(reader, 4, 5));
	CHECK_RC(0, mdg_segment_commit(writer, &low, 1, MDG_FOREVER, NULL));
	CHECK(is_whole(reader, 4, 5));
	mdg_replica_close(writer);
	mdg_replica_close(reader);
}

static void after_apply(bool done)
{
	mdg_replica *writer = open_as("s", MDG_REPLICA_COMMIT, 0);
	mdg_replica *to = open_as("t", MDG_REPLICA_APPLY, 0);
	uint64_t had = info_of(to).generation;
	CHECK(had == 1 ? is_whole(to, 1, 1) && !done : had == 2 && is_whole(to, 2, 3));
	write_low(4);
	CHECK_RC(0, mdg_segment_commit(writer, &low, 1, MDG_FOREVER, NULL));
	CHECK_RC(0, carry(writer, to, had, 1));
	CHECK(is_whole(to, 4, 3));
	write_high(5);
	CHECK_RC(0, mdg_segment_commit(writer, &high, 1, MDG_FOREVER, NULL));
	CHECK_RC(0, carry(writer, to, info_of(to).generation, 1));
	CHECK(is_whole(to, 4, 5));
	mdg_replica_close(writer);
	mdg_replica_close(to);
}

static void after_make(void)
{
	mdg_replica *writer = open_as("s", MDG_REPLICA_COMMIT, 0);
	mdg_replica *reader = open_as("s", 0, 0);
	fill(6);
	CHECK_RC(0, mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL));
	CHECK(read_number(reader, NULL) == 6);
	mdg_replica_close(writer);
	mdg_replica_close(reader);
}

static bool play(uint32_t instructions)
{
	struct stepped victim;
	arrange();
	if (!stepped_start(&victim, victim_of, NULL)) {
		printf("skipped: no process can be taken step by step here\n");
		exit(77);
	}
	(void)stepped_go(&victim, instructions);
	bool ended = victim.ended;
	stepped_kill(&victim);
	if (what == MAKES)
		after_make();
	else if (what == APPLIES)
		after_apply(ended);
	else
		after_commit(ended);
	return !ended && check_failures == 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "commit", "compare", "apply", "make" };
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
	ns = unit_open("points", NULL);
	open_segment("s");
	for (int i = COMMITS; i <= MAKES; i++) {
		uint32_t at = 0, plays = 0, every = all ? 1 : 23;
		what = (enum what)i;
		for (; at < MOST && play(at);
		     plays++) /* a little more each time: not in step with a loop */
			at += every + (all ? 0 : plays % 5 + at / (what == MAKES ? 4 : 8));
		printf("%-10s %6u instructions, %4u deaths\n", names[i], at, plays);
		CHECK(plays >= 20);
	}
	CHECK(unit_is_sound(ns));
	return test_result();
}
