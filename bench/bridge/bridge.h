/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - what the files of madang-bench-bridge share.
 *
 * A SIDE is one means to bring a message from one process to another: plain NATS, plain JetStream,
 * or a channel of Madang with two bridges between. A TRIAL is one case on one side, for a moment:
 * a talker and a listener are forked for it, join, and play as soon as a first message has come
 * through. What they find they write into the trial, which both and the parent share.
 *
 * libnats does not bear a fork. So the parent never calls it.
 */
#ifndef MADANG_BENCH_BRIDGE_H
#define MADANG_BENCH_BRIDGE_H

#include "bench/common/bench.h"
#include "bench/common/processes.h"

#include <stdatomic.h>
#include <sys/types.h>

enum {
	LATENCIES = 4096, /* most messages of one trial that are timed */
	BATCH = 64,       /* messages that a talker gives at once, where that can be done */
	LARGE = 4096,
	SMALL = 64,
	SIDES_MAX = 12,
	PATIENCE_MS = 15000 /* until a first message has come through */
};

/* What every message begins with. */
struct packet {
	uint64_t trial;  /* of an earlier trial: passed over */
	uint64_t number; /* from 0; WARM: only to see whether it comes through */
	uint64_t stamp;  /* CLOCK_MONOTONIC when it was given away */
};
#define WARM UINT64_MAX

struct trial {
	_Atomic uint32_t joined, warm, stop, failed;
	_Atomic uint64_t sent, received;
	_Atomic uint64_t began, ended;
	_Atomic uint64_t wanted; /* how many were sent in all; 0: not known yet */
	uint64_t id;
	uint32_t size, count; /* bytes of a message; messages to be timed, 0: as many as go */
	double seconds;
	uint32_t found;
	uint64_t latency[LATENCIES]; /* ns */
};

/* Where the plain program and the bridges find the server, and the two namespaces. */
struct place {
	char url[128], directory[128], near_ns[160], far_ns[160];
	const char *bridge, *server; /* programs; NULL: not there */
	pid_t server_pid;
	unsigned short monitor_port;
};
extern struct place place;

/* What one side can do. `put` and `take` return how many messages they did, or < 0. `take` waits
 * at most `ms` milliseconds, and then returns 0. */
struct side {
	const char *name, *what;
	bool bridged;
	bool plain; /* the side that bridged ones are compared with, unless the case says another */
	void *(*join)(bool talker);
	int (*put)(void *end, char *data, size_t size, unsigned count);
	int (*take)(void *end, char *data, size_t size, unsigned most, int ms);
	int (*finish)(void *end); /* all that was put is acknowledged; may be NULL */
	int (*ask)(void *end, char *data, size_t size); /* there and back; NULL: it cannot */
	int (*answer)(void *end, int ms);
	void (*leave)(void *end);
};

extern const struct side side_core, side_core_lazy, side_jetstream, side_async, side_alone;
extern const struct side side_stream, side_topic, side_call, side_service;

enum measure { ONE_WAY, ROUND_TRIP, RATE };
struct bridge_case {
	const char *name, *what;
	enum measure measure;
	uint32_t size;
	const struct side *sides[SIDES_MAX];
	double bar; /* of bridged beside plain: ns added at most; or the least ratio; 0: none */
};
extern const struct bridge_case bridge_cases[];
extern const unsigned bridge_case_count;

/* One side of one case, over all rounds. */
struct side_result {
	struct samples median, tail, compared; /* ns or messages a second; 99 %; beside plain */
	const char *error;
};
struct case_result {
	const struct bridge_case *what;
	struct side_result sides[SIDES_MAX];
};

/* Plays it. NULL, or what is wrong (trial.c). */
const char *trial_play(const struct side *side, const struct bridge_case *what, double seconds,
                       struct trial *trial);
/* The trial that this process takes part in: what it may look at while it plays. */
extern struct trial *trial_now;

/* The server and the bridges (place.c). Each 0, or it has said what is wrong. */
int place_make(void);
int place_server(void);
pid_t place_bridge(const char *namespace_dir, const char *group, const char *host,
                   const char *channels);
pid_t place_bridge_with(const char *namespace_dir, const char *group, const char *host,
                        const char *option, const char *value);
void place_end(pid_t *pid);
void place_remove(void);
pid_t place_fork(void); /* the child ends when the parent does */

/* What a process costs (cost.c). */
struct cost {
	double seconds;  /* of processor, so far */
	double own, rss; /* KiB: private; resident */
	unsigned threads, descriptors;
};
int cost_look(pid_t pid, struct cost *ret);

/* What the server counts (counts.c). */
struct server_counts {
	double connections, subscriptions, in_messages, out_messages, in_bytes, out_bytes;
};
void server_counts(struct server_counts *ret);

/* Tables of their own (growth.c, hosts.c, segment.c). 0, or 1. */
int segment_measure(bool quick);
int growth_measure(bool quick);
int hosts_measure(unsigned hosts, double seconds);

/* What was found (report.c). */
void bridge_text(const struct case_result *results, unsigned count, FILE *out);
int bridge_json(const struct case_result *results, unsigned count, const struct machine *machine,
                const char *path);

#endif
