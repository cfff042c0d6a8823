/* SPDX-License-Identifier: MIT */
/* class.h - the classes of objects that a namespace has. */
#ifndef MADANG_REGISTRY_CLASS_H
#define MADANG_REGISTRY_CLASS_H

/* Each has a directory of its own in the registry: keys, ids, limits, entries. */
enum mdg__class { MDG__SEGMENTS, MDG__SEMAPHORE_SETS, MDG__MESSAGE_QUEUES, MDG__CLASSES };

/* How many fields of 64 bits an entry of a semaphore set or a message queue has for its class. */
#define MDG__CLASS_FIELDS 6

#endif
