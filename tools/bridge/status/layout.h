/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the memory in which a bridge says what it does: the segment "madang-bridge" of its
 * namespace.
 *
 *     offset 0      struct bridge_head
 *     offset 1024   BRIDGE_ROWS_MAX times struct bridge_row: channels
 *     then          BRIDGE_REPLICAS_MAX times struct bridge_replica_row: replicated segments
 *
 * Only the bridge writes. Everybody who may read the segment may read it, without a lock: the tool
 * and `madang-bridge --status` do, in read.h. The same bytes for 32 and 64 bits.
 *
 * NEVER HALF. Head and rows each have a number `sequence`. The writer makes it odd (W0), writes,
 * and makes it even (W1). A reader reads the number (R0), copies, and reads the number again (R1).
 * If both are the same and even, the copy is of one moment: W0 is released before the data, and R1
 * is read after them. Each head or row has one writer at a time, so readers never hold a writer up.
 *
 * A DEAD BRIDGE. The bridge holds `lock` as long as it lives, and has the segment attached. So a
 * second bridge sees that there is one, and a reader sees by mdg_segment_next_process whether the
 * process that wrote `pid` still is there. A bridge that ends in order removes the segment.
 *
 * TRUST. Readers check all that they read. Texts need not end, and enumerations may have any value.
 */
#ifndef BRIDGE_STATUS_LAYOUT_H
#define BRIDGE_STATUS_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "madang/sync.h"

#define BRIDGE_STATUS_SEGMENT "madang-bridge"
#define BRIDGE_STATUS_MAGIC   UINT64_C(0x6567646972624d01) /* "\1Mbridge" */

enum { BRIDGE_STATUS_VERSION = 2, BRIDGE_ROWS_MAX = 512, BRIDGE_ROWS_AT = 1024 };
enum { BRIDGE_REPLICAS_MAX = 64 };
enum { BRIDGE_WORD_ROOM = 64, BRIDGE_ERROR_ROOM = 160, BRIDGE_URL_ROOM = 256 };

/* What a bridge is doing as a whole. */
enum bridge_state {
	BRIDGE_STARTING = 0,
	BRIDGE_CONNECTED,
	BRIDGE_CUT_OFF, /* it was connected, or is trying for the first time */
	BRIDGE_ENDING,
	BRIDGE_STATES
};

enum bridge_direction { BRIDGE_OUT = 0, BRIDGE_IN, BRIDGE_DIRECTIONS };

/* What one channel does in one direction. */
enum bridge_row_state {
	BRIDGE_IDLE = 0, /* allowed, but nobody here or elsewhere needs it at present */
	BRIDGE_MOVING,   /* a pump runs; it sleeps when there is nothing to move */
	BRIDGE_HELD,     /* the other side is full or slow: it tries again */
	BRIDGE_FAILED,   /* `error` says why; it tries again when something changes */
	BRIDGE_ROW_STATES
};

/* What becomes of one replicated segment. */
enum bridge_replica_state {
	BRIDGE_REPLICA_WAITING = 0, /* for the segment, the lease, or a first generation */
	BRIDGE_REPLICA_MOVING,      /* generations go, or come, as they are made */
	BRIDGE_REPLICA_HELD,        /* `error` says why not; it tries again */
	BRIDGE_REPLICA_DEPOSED,     /* another host took the lease */
	BRIDGE_REPLICA_STATES
};

/* The fields are those of bridge_figures and bridge_link, in read.h and status.h. */
struct bridge_head {
	uint64_t magic;
	uint32_t version, row_size, rows_max;
	uint32_t sequence;
	int32_t pid;
	uint32_t state; /* enum bridge_state */
	uint32_t rows;  /* rows from here on have never been used */
	uint32_t rows_left_out;
	int64_t since;   /* seconds since 1970: when the bridge started */
	int64_t changed; /* when `state` changed last */
	uint64_t reconnects;
	char host[BRIDGE_WORD_ROOM], group[BRIDGE_WORD_ROOM];
	char url[BRIDGE_URL_ROOM]; /* of the server that it talks to, without secrets */
	char error[BRIDGE_ERROR_ROOM];
	char reserved[24];
	mdg_mutex lock; /* held while the bridge lives; no part of what `sequence` protects */
};

struct bridge_row {
	uint32_t sequence;
	uint32_t used; /* 0: an empty row */
	uint32_t kind; /* enum mdg_channel_kind */
	uint32_t direction, state;
	uint32_t reserved;
	uint64_t sent, received, repeats, in_flight, lag, bytes, retries;
	int64_t moved; /* seconds since 1970 of the last message; 0: none yet */
	char channel[BRIDGE_WORD_ROOM];
	char error[BRIDGE_ERROR_ROOM]; /* the last one; "" */
	uint64_t next; /* out: the number of the next message to cross; 0: not known. So the lag is
	                  known also while the bridge sleeps: the channel says its last number */
	uint64_t dropped; /* messages that can never cross: too large */
	uint64_t missed;  /* in, of a topic: packs that the server had no more */
};

/* Written by the thread of the segment. */
struct bridge_replica_row {
	uint32_t sequence;
	uint32_t used;       /* 0: an empty row */
	uint32_t writes;     /* 1: this host writes, or wants to */
	uint32_t state;      /* enum bridge_replica_state */
	uint64_t generation; /* the last one that crossed; 0: none yet */
	uint64_t fence;      /* of the lease under which it was written */
	uint64_t crossed;    /* generations, since the bridge started */
	int64_t moved;       /* seconds since 1970 of the last one; 0: none yet */
	char segment[BRIDGE_WORD_ROOM];
	char error[BRIDGE_ERROR_ROOM]; /* what it waits for, or why it does not go; "" */
};

static_assert(sizeof(struct bridge_replica_row) == 272, "the format is fixed");
static_assert(offsetof(struct bridge_replica_row, segment) == 48, "the format is fixed");
static_assert(sizeof(struct bridge_row) == 336, "the format is fixed");
static_assert(offsetof(struct bridge_row, sent) == 24, "the format is fixed");
static_assert(offsetof(struct bridge_row, channel) == 88, "the format is fixed");
static_assert(offsetof(struct bridge_head, sequence) == 20, "the format is fixed");
static_assert(offsetof(struct bridge_head, since) == 40, "the format is fixed");
static_assert(offsetof(struct bridge_head, host) == 64, "the format is fixed");
static_assert(offsetof(struct bridge_head, lock) % 64 == 0, "the format is fixed");
static_assert(sizeof(struct bridge_head) <= BRIDGE_ROWS_AT, "the format is fixed");

#define BRIDGE_REPLICAS_AT (BRIDGE_ROWS_AT + (uint64_t)BRIDGE_ROWS_MAX * sizeof(struct bridge_row))
#define BRIDGE_STATUS_BYTES                                                                        \
	(BRIDGE_REPLICAS_AT + (uint64_t)BRIDGE_REPLICAS_MAX * sizeof(struct bridge_replica_row))

#endif
