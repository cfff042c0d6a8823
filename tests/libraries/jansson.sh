#!/bin/sh
# SPDX-License-Identifier: MIT
# jansson.sh PROGRAM - the two programs of jansson.c, one after the other.
set -eu
"$1" make
"$1" read
