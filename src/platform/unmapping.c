/* SPDX-License-Identifier: MIT */
/* unmapping.c - see unmapping.h. */
#include "platform/unmapping.h"

const struct mdg__unmapping *_Atomic mdg__unmapping;
