/* SPDX-License-Identifier: MIT */
/*
 * quietly.h - a write of which the program notices nothing: it raises no signal, and does not wait
 * for long.
 */
#ifndef MADANG_PLATFORM_QUIETLY_H
#define MADANG_PLATFORM_QUIETLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [signals blocked] Writes once: bytes written, or -errno. -EAGAIN: there was no room within so
 * many milliseconds. Neither SIGPIPE nor SIGXFSZ is left behind. `is_pipe`: what fstat says of the
 * descriptor. Other writers may fill a pipe after it was found to have room, so the kernel is told
 * not to wait there. */
int64_t mdg__sys_write_quietly(int fd, const void *bytes, size_t size, bool is_pipe,
                               unsigned milliseconds);

#endif
