/* SPDX-License-Identifier: MIT */
/*
 * json.h - what a bridge says of itself, as JSON: for `madang-bridge --status --json` and the tool.
 *
 * docs/json.md describes the fields. Each function writes members into an object that is open.
 */
#ifndef BRIDGE_STATUS_JSON_H
#define BRIDGE_STATUS_JSON_H

#include "base/json.h"
#include "status/read.h"

/* An object, or null: the bridge as a whole. It is left open for more members if there is one. */
bool bridge_json_begin(struct json *json, const char *key, const struct bridge_view *view);
/* One channel in one direction, without its name. */
void bridge_json_row(struct json *json, const struct bridge_view_row *row);
/* One replicated segment. */
void bridge_json_replica(struct json *json, const struct bridge_view_replica *replica);

#endif
