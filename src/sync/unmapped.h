/* SPDX-License-Identifier: MIT */
/*
 * unmapped.h - lets the rooms below ask about locks before they unmap memory. See unmapped.c.
 */
#ifndef MADANG_SYNC_UNMAPPED_H
#define MADANG_SYNC_UNMAPPED_H

/* From here on the rooms below ask before they unmap something (platform/unmapping.h). */
void mdg__unmapped_watch(void);

#endif
