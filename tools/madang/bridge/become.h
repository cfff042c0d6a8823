/* SPDX-License-Identifier: MIT */
/*
 * become.h - the tool becomes madang-bridge.
 */
#ifndef TOOL_BRIDGE_BECOME_H
#define TOOL_BRIDGE_BECOME_H

#include "base/command.h"

/* Executes madang-bridge with argv[1] and so on; argv[0] is replaced. It returns only if that
 * fails: an exit status, and it has said why. */
int bridge_become(const struct command *command, int argc, char **argv);

#endif
