/* SPDX-License-Identifier: MIT */
/*
 * offsets.c - where the fields of the registry file lie: the same for each compiler, word size and
 * C library.
 *
 * It has no code. If it compiles, the layout is as it always was in this format version.
 */
#include "registry/layout.h"

#define MDG__AT(type, field, offset)                                                               \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define MDG__SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

MDG__AT(mdg__head, magic, 0);
MDG__AT(mdg__head, format, 8);
MDG__AT(mdg__head, mark, 12);
MDG__AT(mdg__head, process_capacity, 16);
MDG__AT(mdg__head, tie_capacity, 20);
MDG__AT(mdg__head, capacity, 24);
MDG__AT(mdg__head, bucket_count, 36);
MDG__AT(mdg__head, file_size, 48);
MDG__AT(mdg__head, unique, 56);
MDG__AT(mdg__head, shmmax, 64);
MDG__AT(mdg__head, shmall, 72);
MDG__AT(mdg__head, flags, 80);
MDG__AT(mdg__head, fixed_sum, 84);
MDG__AT(mdg__head, lock, 128);
MDG__AT(mdg__head, turns, 132);
MDG__AT(mdg__head, undo_count, 136);
MDG__AT(mdg__head, version, 140);
MDG__AT(mdg__head, pages, 192);
MDG__AT(mdg__head, free_tie, 200);
MDG__AT(mdg__head, used_ties, 204);
MDG__AT(mdg__head, processes_ready, 256);
MDG__AT(mdg__head, ties_ready, 260);
MDG__AT(mdg__head, slot_hint, 264);
MDG__AT(mdg__head, settings, 268);
MDG__AT(mdg__head, shmmax_now, 272);
MDG__AT(mdg__head, shmall_now, 280);
MDG__AT(mdg__head, seen, 208);
MDG__AT(mdg__head, directory, 320);
MDG__AT(mdg__head, undo, 512);
MDG__AT(mdg__directory, cursor, 0);
MDG__AT(mdg__directory, last_index, 4);
MDG__AT(mdg__directory, sequence, 8);
MDG__AT(mdg__directory, in_use, 12);
MDG__AT(mdg__directory, most, 16);
MDG__AT(mdg__directory, next_id1, 20);
MDG__AT(mdg__directory, ready, 24);
MDG__AT(mdg__directory, bucket_parts, 28);
MDG__AT(mdg__directory, total, 32);
MDG__AT(mdg__directory, total_most, 40);
MDG__AT(mdg__directory, limit, 48);
MDG__SIZE(mdg__directory, 64);
MDG__SIZE(mdg__undo, 16);
_Static_assert(MDG__SETTINGS <= MDG__SETTINGS_MOST, "a place in `seen` for each");
_Static_assert(sizeof(struct mdg__head) <= MDG__TABLE_ALIGN, "the head fits its page");

MDG__AT(mdg__object, tag, 0);
MDG__AT(mdg__object, next, 4);
MDG__AT(mdg__object, key, 8);
MDG__AT(mdg__object, mode, 12);
MDG__AT(mdg__object, uid, 16);
MDG__AT(mdg__object, gid, 20);
MDG__AT(mdg__object, cuid, 24);
MDG__AT(mdg__object, cgid, 28);
MDG__AT(mdg__object, ctime, 32);
MDG__AT(mdg__object, cpid, 40);
MDG__AT(mdg__object, worker, 44);
MDG__AT(mdg__object, worker_generation, 48);
MDG__AT(mdg__object, ties, 52);
MDG__AT(mdg__object, kind, 56);
MDG__AT(mdg__object, name_hash, 60);
MDG__AT(mdg__object, name, 64);
MDG__SIZE(mdg__object, 128);

MDG__AT(mdg__segment, object, 0);
MDG__AT(mdg__segment, tag, 0);
MDG__AT(mdg__segment, name, 64);
MDG__AT(mdg__segment, size, 128);
MDG__AT(mdg__segment, mapped, 136);
MDG__AT(mdg__segment, atime, 144);
MDG__AT(mdg__segment, dtime, 152);
MDG__AT(mdg__segment, inode, 160);
MDG__AT(mdg__segment, lpid, 168);
MDG__AT(mdg__segment, flags, 172);
MDG__AT(mdg__segment, lock_uid, 176);
MDG__AT(mdg__segment, new_uid1, 180);
MDG__AT(mdg__segment, setter, 184);
MDG__AT(mdg__segment, setter_generation, 188);
MDG__AT(mdg__segment, charged, 192);
MDG__SIZE(mdg__segment, MDG__ENTRY_SIZE);

MDG__AT(mdg__late, object, 0);
MDG__AT(mdg__late, field, 128);
MDG__AT(mdg__late, file, 176);
MDG__AT(mdg__late, new_uid1, 180);
MDG__AT(mdg__late, setter, 184);
MDG__AT(mdg__late, setter_generation, 188);
MDG__SIZE(mdg__late, MDG__ENTRY_SIZE);

MDG__AT(mdg__process, tag, 0);
MDG__AT(mdg__process, pid, 4);
MDG__AT(mdg__process, born_before, 8);
MDG__AT(mdg__process, boot, 16);
MDG__AT(mdg__process, pid_namespace, 24);
MDG__AT(mdg__process, mapped_at, 32);
MDG__AT(mdg__process, uid, 40);
MDG__AT(mdg__process, ties, 44);
MDG__AT(mdg__process, working, 48);
MDG__AT(mdg__process, forking, 52);
MDG__AT(mdg__process, parent, 56);
MDG__AT(mdg__process, parent_generation, 60);
MDG__AT(mdg__process, witness, 68);
MDG__SIZE(mdg__process, 128);

MDG__AT(mdg__tie, word, 0);
MDG__AT(mdg__tie, object, 8);
MDG__AT(mdg__tie, process, 12);
MDG__AT(mdg__tie, object_next, 16);
MDG__AT(mdg__tie, object_previous, 20);
MDG__AT(mdg__tie, process_next, 24);
MDG__AT(mdg__tie, process_previous, 28);
MDG__AT(mdg__tie, fd, 32);
MDG__SIZE(mdg__tie, 64);
