/* SPDX-License-Identifier: MIT */
/*
 * damaged.c - a replica whose memory holds anything: every call ends, with an error or without,
 * and touches nothing outside.
 */
#include "replica/replicas.h"

enum { ROUNDS = SLOWLY ? 300 : 3000 };

static uint64_t state;

static uint64_t any(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return state >> 16 ^ state << 40;
}

/* All but the lock: somebody who scribbles there makes others wait, as sync.h says. */
static void scribble(unsigned char *memory)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 62 };
	for (int i = 0; i < 8; i++) {
		uint64_t at = any() % 2 != 0 ? any() % 24 * 8 : 1024 + any() % 16 * 8;
		uint64_t value = any() % 2 != 0 ? any() : values[any() % 5];
		memcpy(memory + at, &value, sizeof value);
	}
}

static void use(mdg_replica *writer, mdg_replica *to)
{
	static uint64_t seen[WORDS];
	struct mdg_view view = { .size = sizeof view };
	struct mdg_range ranges[4];
	uint64_t cursor = any() % 100;
	unsigned steps = 0;
	(void)mdg_segment_commit(writer, NULL, 0, 0, NULL);
	(void)mdg_replica_read(to, 0, seen, BYTES, NULL);
	(void)mdg_replica_wait(to, any(), 0, NULL);
	(void)mdg_replica_settled(to, any(), 0);
	if (mdg_replica_begin(to, &view) == 0) {
		while (mdg_replica_changes(to, &view, any(), &cursor, ranges, 4) > 0)
			CHECK(++steps < 1000 && ranges[0].offset < BYTES);
		(void)mdg_replica_end(to, &view);
	}
	(void)mdg_replica_set_role(to, (unsigned)(any() % 5), any(), any() % 2 ? any() : 0, 0);
	(void)info_of(to);
}

int main(void)
{
	struct mdg_replica_options options = { .size = sizeof options, .flags = MDG_REPLICA_APPLY };
	void *memory = NULL;
	mdg_id id;
	ns = unit_open("damaged", NULL);
	open_segment("s");
	for (int i = 0; i < ROUNDS && check_failures == 0; i++) {
		mdg_replica *writer = open_as("s", MDG_REPLICA_COMMIT, 0);
		mdg_replica *to = open_as("s", MDG_REPLICA_APPLY, 0), *again = NULL;
		state = (uint64_t)i;
		CHECK_RC(0, mdg_segment_open(ns, "s.replica", 0, 0, &id));
		CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
		fill(any());
		(void)mdg_segment_commit(writer, NULL, 0, 0, NULL);
		scribble(memory);
		use(writer, to);
		int rc = mdg_replica_open(&again, ns, "s", &options);
		CHECK(rc == 0 || rc == MDG_NOT_REPLICA || rc == MDG_VERSION_UNLIKE ||
		      rc == MDG_BROKEN || rc == -ENOENT || rc == MDG_UNLIKE_CAPACITY);
		if (rc == 0) {
			use(writer, again);
			mdg_replica_close(again);
		}
		mdg_replica_close(writer);
		mdg_replica_close(to);
		CHECK_RC(0, mdg_segment_detach(ns, memory));
		CHECK_RC(0, mdg_segment_remove(ns, id));
	}
	return test_result();
}
