/* SPDX-License-Identifier: MIT */
/*
 * peer.c - a program on one of the hosts of hosts.sh. Its namespace is $MADANG_NAMESPACE, and the
 * segment is "shared" or $PEER_SEGMENT.
 *
 *     peer commit NUMBER       fills the segment with the number, and commits it; 3: deposed
 *     peer storm SECONDS       commits one number after the other, in whole and in part
 *     peer await NUMBER        until the replica shows this number; it must always be whole
 *     peer watch SECONDS       reads all the time: generations are whole and do not go back
 *     peer grow NUMBER         as commit, but the segment is four times as large: what has another
 *                              size is removed first
 *     peer remove              removes the replica here
 *     peer drop NAME           removes a segment here
 *     peer look                prints what the replica says
 */
#include "replica/replicas.h"

#include <unistd.h>

static const char *segment = "shared";

#define WAIT_NS UINT64_C(20000000000)

static int commit(uint64_t number)
{
	open_segment(segment);
	mdg_replica *writer = open_as(segment, MDG_REPLICA_COMMIT, 0);
	fill(number);
	int rc = mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL);
	if (rc != 0)
		fprintf(stderr, "%s\n", mdg_strerror(rc));
	return rc == 0 ? 0 : rc == MDG_DEPOSED ? 3 : 1;
}

/* Fills `bytes` with the number, and commits it. */
static int grow(uint64_t number, uint64_t bytes)
{
	struct mdg_replica_options options = { .size = sizeof options,
		                               .flags = MDG_REPLICA_COMMIT };
	mdg_replica *writer = NULL;
	void *memory = NULL;
	mdg_id id;
	if (mdg_segment_open(ns, segment, bytes, 0600, &id) != 0) {
		if (mdg_segment_open(ns, segment, 0, 0600, &id) == 0)
			CHECK_RC(0, mdg_segment_remove(ns, id));
		CHECK_RC(0, mdg_segment_create(ns, segment, bytes, 0600, 0, &id));
		(void)mdg_replica_remove(ns, segment);
	}
	CHECK_RC(0, mdg_segment_attach(ns, id, NULL, 0, &memory));
	for (uint64_t i = 0; memory != NULL && i < bytes / 8; i++)
		((uint64_t *)memory)[i] = number;
	int rc = mdg_replica_open(&writer, ns, segment, &options);
	if (rc == 0)
		rc = mdg_segment_commit(writer, NULL, 0, MDG_FOREVER, NULL);
	if (rc != 0)
		fprintf(stderr, "%s\n", mdg_strerror(rc));
	return rc == 0 ? test_result() : rc == MDG_DEPOSED ? 3 : 1;
}

static int drop(const char *name)
{
	mdg_id id;
	int rc = mdg_segment_open(ns, name, 0, 0600, &id);
	if (rc == 0)
		rc = mdg_segment_remove(ns, id);
	return rc == 0 ? 0 : 1;
}

static int storm(uint64_t seconds)
{
	const struct mdg_range all = { 0, BYTES };
	open_segment(segment);
	mdg_replica *writer = open_as(segment, MDG_REPLICA_COMMIT, 0);
	uint64_t end = mdg_deadline(seconds * 1000000000), number = words[0];
	while (mdg_deadline(0) < end) {
		fill(++number);
		CHECK_RC(0, mdg_segment_commit(writer, number % 2 != 0 ? &all : NULL, 1,
		                               MDG_FOREVER, NULL));
		usleep(200);
	}
	printf("%llu\n", (unsigned long long)number);
	return test_result();
}

/* The replica comes with its first generation, and may be made anew. */
static mdg_replica *find(uint64_t end)
{
	mdg_replica *replica = NULL;
	while (mdg_replica_open(&replica, ns, segment, NULL) != 0 && mdg_deadline(0) < end)
		usleep(20000);
	return replica;
}

static int await(uint64_t number)
{
	uint64_t end = mdg_deadline(WAIT_NS), seen = 0, generation = 0;
	while (mdg_deadline(0) < end) {
		mdg_replica *replica = find(end);
		int rc = 0;
		while (replica != NULL && rc == 0 && mdg_deadline(0) < end) {
			seen = read_number(replica, &generation);
			CHECK(seen != UINT64_MAX);
			if (seen == number)
				return test_result();
			rc = mdg_replica_wait(replica, generation, mdg_deadline(500000000), NULL);
			rc = rc == -ETIMEDOUT ? 0 : rc;
		}
		mdg_replica_close(replica);
	}
	fprintf(stderr, "not %llu, but %llu in generation %llu\n", (unsigned long long)number,
	        (unsigned long long)seen, (unsigned long long)generation);
	return 1;
}

static int watch(uint64_t seconds)
{
	uint64_t end = mdg_deadline(seconds * 1000000000), last = 0, changes = 0;
	mdg_replica *replica = find(end);
	if (replica == NULL)
		return 1;
	while (mdg_deadline(0) < end) {
		uint64_t generation = 0;
		CHECK(read_number(replica, &generation) != UINT64_MAX && generation >= last);
		changes += generation != last;
		last = generation;
		(void)mdg_replica_wait(replica, last, mdg_deadline(1000000), NULL);
	}
	printf("%llu\n", (unsigned long long)changes);
	return test_result();
}

int main(int argc, char **argv)
{
	uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	const char *what = argc > 1 ? argv[1] : "";
	if (getenv("PEER_SEGMENT") != NULL)
		segment = getenv("PEER_SEGMENT");
	int rc = mdg_namespace_open(&ns, NULL, NULL);
	if (rc != 0) {
		fprintf(stderr, "namespace: %s\n", mdg_strerror(rc));
		return 1;
	}
	if (strcmp(what, "commit") == 0)
		return commit(number);
	if (strcmp(what, "grow") == 0)
		return grow(number, UINT64_C(4) * BYTES);
	if (strcmp(what, "remove") == 0)
		return mdg_replica_remove(ns, segment) == 0 ? 0 : 1;
	if (strcmp(what, "drop") == 0)
		return drop(argv[2]);
	if (strcmp(what, "storm") == 0)
		return storm(number);
	if (strcmp(what, "await") == 0)
		return await(number);
	if (strcmp(what, "watch") == 0)
		return watch(number);
	mdg_replica *replica = find(mdg_deadline(WAIT_NS));
	if (replica == NULL)
		return 1;
	struct mdg_replica_info info = info_of(replica);
	printf("generation=%llu far=%llu lag=%llu role=%u fence=%llu id=%d bytes=%llu\n",
	       (unsigned long long)info.generation, (unsigned long long)info.far,
	       (unsigned long long)info.lag, info.role, (unsigned long long)info.fence, info.id,
	       (unsigned long long)info.bytes);
	return 0;
}
