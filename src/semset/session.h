/* SPDX-License-Identifier: MIT */
/*
 * session.h - a set's memory and the calling process, for one call.
 *
 *     struct mdg__session session;
 *     int rc = mdg__session_begin(&session, ns, id, MDG__SESSION_MAKE);
 *     if (rc == 0)
 *             rc = mdg__session_end(&session, mdg__semset_value(&session.set, 0));
 */
#ifndef MADANG_SEMSET_SESSION_H
#define MADANG_SEMSET_SESSION_H

#include "segment/objects.h"
#include "semset/internal.h"

enum { MDG__SESSION_MEMORIES = 8 };

struct mdg__session {
	struct mdg__semset set; /* base is NULL: the set has no memory, and so all is 0 */
	mdg_namespace *ns;
	mdg_id id;
	uint32_t count; /* memories */
	uint32_t kept;  /* the index of one that stays taken, + 1; 0: none */
	struct mdg__memory memories[MDG__SESSION_MEMORIES]; /* the last one is the set's */
};

/* MAKE: the memory is made if there is none. LOOK: it is not. */
enum mdg__session_kind { MDG__SESSION_MAKE, MDG__SESSION_LOOK };

/* 0; -EINVAL: no such set; and what objects.h says of memory. */
int mdg__session_begin(struct mdg__session *session, mdg_namespace *ns, mdg_id id,
                       enum mdg__session_kind kind);
/* Returns `rc`. Ends a removal that somebody has left half done. */
int mdg__session_end(struct mdg__session *session, int rc);

#endif
