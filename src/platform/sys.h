/* SPDX-License-Identifier: MIT */
/*
 * sys.h - includes the headers of all system calls that Madang makes.
 *
 * Every function of these headers goes to the kernel by itself, returns a negated
 * errno on failure, and leaves the thread's errno alone. There are three reasons
 * not to call the C library's functions of the same names:
 *   - They are cancellation points, and a cancelled thread would leave a lock
 *     behind.
 *   - libmadang-sysv wraps some of them, and would call back into us.
 *   - A program may have replaced them.
 *
 * A call that a signal interrupts is not made again, except where the header says
 * so.
 */
#ifndef MADANG_PLATFORM_SYS_H
#define MADANG_PLATFORM_SYS_H

#include "platform/bytelock.h"
#include "platform/clock.h"
#include "platform/dir.h"
#include "platform/environment.h"
#include "platform/file.h"
#include "platform/filesize.h"
#include "platform/futex.h"
#include "platform/highfd.h"
#include "platform/limits.h"
#include "platform/memory.h"
#include "platform/processors.h"
#include "platform/signals.h"

#endif
