/* SPDX-License-Identifier: MIT */
/*
 * hostsleep.c - what libmadang-sysv has to know of sleeps in queues, because msgsnd and msgrcv are
 * cancellation points. See segment/hostcalls.h.
 */
#include "msgqueue/engine.h"
#include "msgqueue/open.h"
#include "segment/hostcalls.h"

void mdg__host_on_sleep(void (*function)(bool begins))
{
	mdg__msgqueue_on_sleep(function);
}

void mdg__host_abandon_sleep(void)
{
	mdg__queue_abandon();
}
