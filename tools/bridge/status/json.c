/* SPDX-License-Identifier: MIT */
/*
 * json.c - what a bridge says of itself, as JSON.
 */
#include "status/json.h"

/* null for what is empty. */
static void put_text(struct json *json, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_string(json, key, text);
	else
		json_null(json, key);
}

bool bridge_json_begin(struct json *json, const char *key, const struct bridge_view *view)
{
	if (!view->is_there) {
		json_null(json, key);
		return false;
	}
	json_open(json, key, '{');
	json_signed(json, "pid", view->pid);
	json_bool(json, "alive", view->alive);
	json_string(json, "state", bridge_state_word(view));
	json_string(json, "host", view->host);
	json_string(json, "group", view->group);
	put_text(json, "url", view->url);
	json_unsigned(json, "reconnects", view->reconnects);
	put_text(json, "error", view->error);
	json_unsigned(json, "left_out", view->rows_left_out);
	json_signed(json, "since_time", view->since);
	json_signed(json, "state_time", view->changed);
	return true;
}

void bridge_json_row(struct json *json, const struct bridge_view_row *row)
{
	json_string(json, "direction", bridge_direction_word(row->direction));
	json_string(json, "state", bridge_row_word(row->state));
	json_unsigned(json, "sent", row->sent);
	json_unsigned(json, "received", row->received);
	json_unsigned(json, "bytes", row->bytes);
	json_unsigned(json, "in_flight", row->in_flight);
	json_unsigned(json, "lag", row->lag);
	json_unsigned(json, "repeats", row->repeats);
	json_unsigned(json, "retries", row->retries);
	json_unsigned(json, "dropped", row->dropped);
	json_unsigned(json, "missed", row->missed);
	put_text(json, "error", row->error);
	json_signed(json, "moved_time", row->moved);
}

void bridge_json_replica(struct json *json, const struct bridge_view_replica *replica)
{
	json_string(json, "segment", replica->segment);
	json_string(json, "role", bridge_role_word(replica));
	json_string(json, "state", bridge_replica_word(replica->state));
	json_unsigned(json, "generation", replica->generation);
	json_unsigned(json, "lag", replica->lag);
	json_unsigned(json, "lag_ns", replica->lag_ns);
	json_unsigned(json, "fence", replica->fence);
	json_unsigned(json, "bytes", replica->bytes);
	json_unsigned(json, "crossed", replica->crossed);
	put_text(json, "error", replica->error);
	json_signed(json, "moved_time", replica->moved);
}
