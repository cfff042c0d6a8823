/* SPDX-License-Identifier: MIT */
/*
 * relay.h - what a bridge needs of channels: messages with an origin and a number.
 */
#ifndef BRIDGE_BASE_RELAY_H
#define BRIDGE_BASE_RELAY_H

#include <madang/channel.h>
#include <madang/relay.h>

#ifndef MDG_RELAYED
struct mdg_origin {
	uint64_t identity[2];
	uint64_t epoch;
};
struct mdg_relayed {
	const void *data;
	size_t size;
	struct mdg_origin origin;
	uint64_t number;
	uint32_t flags;
	uint32_t reserved;
};
#endif

#endif
