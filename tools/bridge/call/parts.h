/* SPDX-License-Identifier: MIT */
/*
 * parts.h - what the files of this room share.
 */
#ifndef BRIDGE_CALL_PARTS_H
#define BRIDGE_CALL_PARTS_H

#include <pthread.h>

#include "call/call.h"
#include "pump/thread.h"

enum {
	CALL_SUBJECT_MAX = 512, /* bytes of a subject that comes from elsewhere */
	CALL_SEATS_MAX = 64,    /* places in the channel that each side has at most */
	CALL_BACKLOG_MAX = 256, /* requests from elsewhere that wait for a place */
	CALL_KEPT_MAX = 1024,   /* replies that are kept for those who missed them */
	CALL_KEPT_BYTES = 4 << 20
};
#define CALL_MS       UINT64_C(1000000)
#define CALL_SECOND   UINT64_C(1000000000)
#define CALL_SILENCE  (7 * CALL_SECOND) /* then whoever worked on a request counts as dead */
#define CALL_WORD     CALL_SECOND       /* between two words that a request is worked on */
#define CALL_QUERY    (2 * CALL_SECOND) /* after so much silence its bridge is asked */
#define CALL_TICK     (100 * CALL_MS)   /* between two looks at what is on its way */
#define CALL_IDLE     CALL_SECOND       /* then a place that is not used is given back */
#define CALL_UNSERVED (2 * CALL_SECOND) /* so long a request waits here without any server */

/* The last token of a subject. The words are the same for all versions of the bridge: who does not
 * know a word ignores it. */
enum call_word {
	CALL_NONE,     /* of the request itself: NATS says that nobody was there */
	CALL_TAKEN,    /* it is worked on; the reply subject is the inbox of who does it */
	CALL_REPLY,    /* the bytes of the reply */
	CALL_DIED,     /* no reply will come, and it may have been worked on */
	CALL_REFUSED,  /* its server has released it without a reply */
	CALL_BUSY,     /* nobody has taken it, and nobody will */
	CALL_LARGE,    /* the reply has more bytes than a message of NATS may have */
	CALL_HOW,      /* question: what about it? */
	CALL_GIVEN_UP, /* nobody waits for the reply any more */
	CALL_UNKNOWN
};

/* ---- words.c -------------------------------------------------------------------- */

/* What stands in `subject` behind `inbox`. False: this is no subject of that inbox. */
bool call_parse(const char *inbox, const char *subject, uint64_t *ret_number,
                enum call_word *ret_word);
/* Whether a reply subject from elsewhere is one that words may be sent to. */
bool call_may_answer(const struct call_setup *setup, const char *reply);
/* Says a word about the request with that reply subject. */
natsStatus call_say(const struct call_setup *setup, const char *to, enum call_word word,
                    const char *reply, const void *data, size_t size);

/* ---- seats.c -------------------------------------------------------------------- */

uint64_t call_now(void);
/* A condition that is waited for by CLOCK_MONOTONIC. */
int call_condition(pthread_cond_t *ret_condition);
void call_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t moment);
/* One more place in the channel, of which this side has `have`. -EUSERS: too few would be left for
 * others. */
int call_enter(const struct call_setup *setup, unsigned role, unsigned have,
               mdg_channel **ret_handle);
/* Before the first change of the counts since `*told` was cleared. [lock of the counts] */
static inline void call_counted(const struct call_setup *setup, bool *told)
{
	if (!*told && setup->counted != NULL)
		setup->counted(setup->context);
	*told = true;
}
/* Whether a code means that the handle, or the whole channel, is of no use any more. */
bool call_is_final(int rc);
/* ---- ask.c, heard.c ---------------------------------------------------------------------- */

struct ask;
int ask_start(struct ask **ret_ask, const struct call_setup *setup);
void ask_update(struct ask *ask, bool active);
void ask_heard(struct ask *ask, uint64_t number, enum call_word word, natsMsg *message);
void ask_lost(struct ask *ask, const char *inbox);
void ask_look(struct ask *ask, struct call_counts *ret_counts);
/* What is not answered at that moment is given up. After this nobody uses the channel. */
void ask_end(struct ask *ask, uint64_t moment);
void ask_free(struct ask *ask);

/* ---- serve.c, job.c, backlog.c -------------------------------------------------------------- */

struct serve;
int serve_start(struct serve **ret_serve, const struct call_setup *setup);
void serve_update(struct serve *serve, bool active);
/* A question about the request with that reply subject. */
void serve_heard(struct serve *serve, const char *request, enum call_word word);
void serve_look(struct serve *serve, struct call_counts *ret_counts);
void serve_end(struct serve *serve, uint64_t moment);
void serve_free(struct serve *serve);

/* ---- kept.c ----------------------------------------------------------------------- */

/* The last replies. Its owner has a lock around these. */
struct kept {
	struct kept_reply {
		char *request; /* its reply subject; NULL: nothing is kept here */
		void *data;
		size_t size;
		enum call_word word;
		uint64_t when;
	} replies[CALL_KEPT_MAX];
	unsigned next;
	size_t bytes;
};
/* Without memory, or if it is too large, it is not kept. */
void kept_add(struct kept *kept, const char *request, enum call_word word, const void *data,
              size_t size);
const struct kept_reply *kept_find(const struct kept *kept, const char *request);
void kept_clear(struct kept *kept);

#endif
