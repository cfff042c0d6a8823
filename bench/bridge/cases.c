/* SPDX-License-Identifier: MIT */
/*
 * cases.c - the table of what madang-bench-bridge measures, and on which sides.
 *
 * A bridged side is compared with the plain program that does the same: JetStream with the same
 * storage, or request and reply.
 */
#include "bench/bridge/bridge.h"

const struct bridge_case bridge_cases[] = {
	{ .name = "one-way-64",
	  .what = "one way, 64 bytes",
	  .measure = ONE_WAY,
	  .size = SMALL,
	  .sides = { &side_jetstream, &side_core, &side_core_lazy, &side_stream, &side_topic },
	  .bar = 25000 },
	{ .name = "round-64",
	  .what = "request and reply, 64 bytes",
	  .measure = ROUND_TRIP,
	  .size = SMALL,
	  .sides = { &side_service, &side_call } },
	{ .name = "rate-64",
	  .what = "messages a second, 64 bytes",
	  .measure = RATE,
	  .size = SMALL,
	  .sides = { &side_async, &side_alone, &side_jetstream, &side_core, &side_stream,
	             &side_topic },
	  .bar = 0.8 },
	{ .name = "rate-4k",
	  .what = "messages a second, 4 KiB",
	  .measure = RATE,
	  .size = LARGE,
	  .sides = { &side_async, &side_alone, &side_jetstream, &side_core, &side_stream,
	             &side_topic },
	  .bar = 0.8 },
};
const unsigned bridge_case_count = sizeof bridge_cases / sizeof *bridge_cases;
