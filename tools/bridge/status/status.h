/* SPDX-License-Identifier: MIT */
/*
 * status.h - says what this bridge does, in the memory of layout.h, for whoever looks.
 *
 *     int rc = status_open(&status, ns, "here", "default");
 *     status_link(status, BRIDGE_CONNECTED, url, 0, NULL);
 *
 *     struct status_row *row = status_row_add(status, "news", MDG_TOPIC, BRIDGE_OUT);
 *     struct bridge_row *figures = status_write(row);     // a pump's thread, for each pack
 *     figures->sent += count;
 *     figures->in_flight = 0;
 *     status_written(row);
 *
 *     status_row_drop(row);
 *     status_close(status);
 *
 * Any thread may add and drop rows and say how the connection is. A row is written by one thread
 * at a time. Where the table is full there is a row too, but nobody sees it. Nothing here waits.
 */
#ifndef BRIDGE_STATUS_STATUS_H
#define BRIDGE_STATUS_STATUS_H

#include <stdbool.h>

#include "madang/segment.h"
#include "status/layout.h"

struct status;
struct status_row;

/* Makes the segment or takes over that of a bridge that died. The calling thread has to live as
 * long as the bridge. 0; or -EBUSY: another bridge lives in this namespace; MDG_UNLIKE_TYPE:
 * another segment has this name and is in use; -EPERM: that of another user; or what
 * mdg_segment_create and mdg_segment_attach return. */
int status_open(struct status **ret, mdg_namespace *ns, const char *host, const char *group);
/* Ends in order: the segment is removed. */
void status_close(struct status *status);

/* How the connection is. `url` and `error` may be NULL: as before; "" as an error: none. */
void status_link(struct status *status, enum bridge_state state, const char *url,
                 uint64_t reconnects, const char *error);

/* NULL: no memory. */
struct status_row *status_row_add(struct status *status, const char *channel, uint32_t kind,
                                  enum bridge_direction direction);
void status_row_drop(struct status_row *row);

/* Between the two, the figures may be changed: not channel, kind, direction, used, sequence.
 * status_written notes the time if `sent` or `received` has changed. */
struct bridge_row *status_write(struct status_row *row);
void status_written(struct status_row *row);
/* Both at once, for what is rare. `error` NULL: as before. */
void status_row_state(struct status_row *row, enum bridge_row_state state, const char *error);

/* ---- replicated segments: the same, for rows of their own ---- */

struct status_replica;

/* NULL: no memory. */
struct status_replica *status_replica_add(struct status *status, const char *segment, bool writes);
void status_replica_drop(struct status_replica *row);
/* Not segment, used, sequence. status_replica_written notes the time if `crossed` has changed. */
struct bridge_replica_row *status_replica_write(struct status_replica *row);
void status_replica_written(struct status_replica *row);

#endif
