/* SPDX-License-Identifier: MIT */
/* See unmapping.h. */
#include "platform/unmapping.h"

const struct mdg__unmapping *_Atomic mdg__unmapping;
