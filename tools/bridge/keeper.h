/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - starts and stops the pumps, as rules, peers and other hosts come and go.
 */
#ifndef BRIDGE_KEEPER_H
#define BRIDGE_KEEPER_H

#include "bridge.h"

/* Runs until SIGTERM or SIGINT, which have to be blocked. Returns an exit code. */
int keeper_run(struct bridge *bridge);

#endif
