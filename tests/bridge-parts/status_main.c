/* SPDX-License-Identifier: MIT */
/*
 * status_main.c - `madang-bridge --status [--json]` alone, for tests where there is no libnats.
 */
#include <string.h>

#include "status/print.h"

int main(int argc, char **argv)
{
	return argc < 2 ? 2 : status_print(argv[1], argc > 2 && strcmp(argv[2], "--json") == 0);
}
