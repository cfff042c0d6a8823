/* SPDX-License-Identifier: MIT */
/*
 * print.h - madang-bridge --status.
 */
#ifndef BRIDGE_STATUS_PRINT_H
#define BRIDGE_STATUS_PRINT_H

#include <stdbool.h>

/* Prints what the bridge of the namespace (NULL: the default one) does, as text or as JSON.
 * Returns 0: one runs there; 1: none does, or it was killed, or that cannot be seen; it has been
 * said. */
int status_print(const char *dir, bool json);

#endif
