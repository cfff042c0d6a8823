/* SPDX-License-Identifier: MIT */
/*
 * native.c - an outside program that uses the native interface as installed.
 *
 * Makes a namespace of its own in the directory given, a segment in it, and
 * goes once round: create, attach, write, look, detach, remove; then sends a
 * message through a channel. Exit 0: all went well. It proves headers and
 * libraries of an installation, not Madang.
 */
#include <madang/channel.h>
#include <madang/segment.h>

#include <stdio.h>
#include <string.h>

static int failed(const char *what, int rc)
{
	fprintf(stderr, "native: %s: %s\n", what, mdg_strerror(rc));
	return 1;
}

static int round_trip(mdg_namespace *ns, mdg_id id)
{
	struct mdg_segment_info info = { .size = sizeof info };
	void *memory;
	int rc = mdg_segment_attach(ns, id, NULL, 0, &memory);
	if (rc != 0)
		return failed("attach", rc);
	strcpy(memory, "hello");
	rc = mdg_segment_stat(ns, id, 0, &info);
	if (rc != 0 || info.attached != 1 || info.bytes != 4096)
		return failed("stat", rc);
	rc = mdg_segment_detach(ns, memory);
	if (rc != 0)
		return failed("detach", rc);
	return 0;
}

static int converse(mdg_channel *talker, mdg_channel *listener)
{
	char text[8];
	int rc = mdg_channel_send(talker, "hello", 6, 0);
	if (rc != 0)
		return failed("send", rc);
	rc = mdg_channel_recv(listener, text, sizeof text, NULL, 0);
	if (rc != 6 || strcmp(text, "hello") != 0)
		return failed("recv", rc);
	return 0;
}

static int channel_trip(mdg_namespace *ns)
{
	mdg_channel *talker, *listener;
	int rc = mdg_channel_open(&talker, ns, "package talk", MDG_TALKER, NULL);
	if (rc != 0)
		return failed("open to talk", rc);
	rc = mdg_channel_open(&listener, ns, "package talk", MDG_LISTENER, NULL);
	int result = rc != 0 ? failed("open to listen", rc) : converse(talker, listener);
	if (rc == 0)
		mdg_channel_close(listener);
	mdg_channel_close(talker);
	rc = mdg_channel_remove(ns, "package talk");
	return rc != 0 ? failed("remove the channel", rc) : result;
}

int main(int argc, char **argv)
{
	char version[32];
	snprintf(version, sizeof version, "%d.%d.%d", MDG_VERSION_MAJOR, MDG_VERSION_MINOR,
	         MDG_VERSION_PATCH);
	if (argc != 2 || strcmp(version, mdg_version()) != 0) {
		fprintf(stderr, "native: header %s, library %s; usage: native DIR\n", version,
		        mdg_version());
		return 1;
	}
	mdg_namespace *ns;
	mdg_id id;
	int rc = mdg_namespace_open(&ns, argv[1], NULL);
	if (rc != 0)
		return failed("open", rc);
	rc = mdg_segment_create(ns, "package test", 4096, 0600, 0, &id);
	if (rc != 0)
		return failed("create", rc);
	int result = round_trip(ns, id);
	rc = mdg_segment_remove(ns, id);
	if (rc != 0)
		result = failed("remove", rc);
	if (result == 0)
		result = channel_trip(ns);
	mdg_namespace_close(ns);
	printf("native: libmadang %s works\n", mdg_version());
	return result;
}
