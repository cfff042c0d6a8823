/* SPDX-License-Identifier: MIT */
/*
 * options.c - reads the command line, and checks what can be checked without a server.
 *
 * No option takes a secret, because every user of the machine can read a command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "madang/replica.h"

enum {
	URL = 256,
	GROUP,
	HOST,
	CHANNEL,
	DIRECTION,
	RULES,
	REPLICAS,
	CREDS,
	NKEY,
	USER_FILE,
	TLS_CA,
	TLS_CERT,
	TLS_KEY,
	TLS_NAME,
	PLAIN,
	LEVEL,
	STATUS,
	JSON,
	SERVER,
	READ_SEGMENT,
	WRITE_SEGMENT,
	REPLICA_MOST,
	VERSION
};

#define REPLICA_MOST_DEFAULT (UINT64_C(256) << 20)
#define REPLICA_LARGEST      (UINT64_C(1) << 40) /* PARCEL_SEGMENT_MAX */

static const struct option table[] = {
	{ "url", required_argument, NULL, URL },
	{ "group", required_argument, NULL, GROUP },
	{ "host", required_argument, NULL, HOST },
	{ "namespace", required_argument, NULL, 'n' },
	{ "channel", required_argument, NULL, CHANNEL },
	{ "direction", required_argument, NULL, DIRECTION },
	{ "rules", required_argument, NULL, RULES },
	{ "replicate", required_argument, NULL, READ_SEGMENT },
	{ "write", required_argument, NULL, WRITE_SEGMENT },
	{ "replica-most", required_argument, NULL, REPLICA_MOST },
	{ "replicas", required_argument, NULL, REPLICAS },
	{ "creds", required_argument, NULL, CREDS },
	{ "nkey", required_argument, NULL, NKEY },
	{ "user-file", required_argument, NULL, USER_FILE },
	{ "tls-ca", required_argument, NULL, TLS_CA },
	{ "tls-cert", required_argument, NULL, TLS_CERT },
	{ "tls-key", required_argument, NULL, TLS_KEY },
	{ "tls-name", required_argument, NULL, TLS_NAME },
	{ "insecure-plain", no_argument, NULL, PLAIN },
	{ "log-level", required_argument, NULL, LEVEL },
	{ "status", no_argument, NULL, STATUS },
	{ "json", no_argument, NULL, JSON },
	{ "with-server", optional_argument, NULL, SERVER },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: madang-bridge --url URL [OPTION]...\n"
	"Carries channels and segments of Madang between hosts, through NATS.\n"
	"\n"
	"      --url URL          the server: nats://HOST:PORT or tls://HOST:PORT; with commas\n"
	"      --with-server[=DIR]\n"
	"                         start a nats-server on the loopback; it keeps messages in DIR\n"
	"      --group NAME       bridges of one group converse (default: default)\n"
	"      --host NAME        this bridge's name in the group (default: the host's name)\n"
	"  -n, --namespace DIR    the namespace\n"
	"      --channel PATTERN  let these channels cross; may be given several times\n"
	"      --direction WAY    for --channel: out, in or both (default)\n"
	"      --rules FILE       read rules: allow|deny in|out|both PATTERN\n"
	"      --replicate NAME   keep a replica of this segment, which another host writes\n"
	"      --replica-most BYTES\n"
	"                         refuse larger segments (default: 256M); K, M or G may follow\n"
	"      --write NAME       send what is committed of this segment to other hosts\n"
	"      --replicas N       on how many servers JetStream keeps messages: 1, 3 or 5\n"
	"      --nkey FILE, --creds FILE, --user-file FILE\n"
	"                         who the bridge is\n"
	"      --tls-ca FILE, --tls-cert FILE, --tls-key FILE, --tls-name NAME\n"
	"                         how the connection is encrypted and checked\n"
	"      --insecure-plain   allow a plain connection to another machine\n"
	"      --log-level LEVEL  error, warn, info (default) or debug\n"
	"      --status           print what the bridge of this namespace does, and end\n"
	"      --json             with --status: as JSON\n"
	"  -h, --help             print this\n"
	"      --version          print the version\n"
	"\n"
	"Secrets are in files. SIGHUP reads the rules again; SIGTERM ends the bridge in order.\n";

static int usage(const char *wrong, const char *value, const char *advice)
{
	(void)fprintf(stderr, "madang-bridge: %s%s%s\n  %s\n", wrong, value ? ": " : "",
	              value ? value : "", advice);
	return BRIDGE_USAGE;
}

static bool is_group(const char *word)
{
	size_t length = strlen(word);

	return length > 0 && length <= OPTIONS_GROUP_MAX &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
	               length;
}

static int take_segment(struct options *o, const char *name, bool writes)
{
	if (!name[0] || strlen(name) > MDG_REPLICA_NAME_MAX)
		return usage("this is no name of a segment that can be replicated", name,
		             "It has 1 to 55 bytes.");
	for (unsigned i = 0; i < o->segment_count; i++)
		if (strcmp(o->segments[i].name, name) == 0)
			return usage("this segment is given twice", name,
			             "A host writes a segment or reads it.");
	if (o->segment_count == OPTIONS_SEGMENTS_MAX)
		return usage("too many segments", NULL, "A bridge carries up to 64.");
	o->segments[o->segment_count++] = (struct options_segment){ name, writes };
	return -1;
}

/* A number with K, M, G or nothing behind it. */
static int take_most(struct options *o, const char *value)
{
	char *end = NULL;
	uint64_t most = strtoull(value, &end, 10);
	const char *unit = end == value || *end == '\0' ? NULL : strchr("KMG", *end);
	unsigned shift = unit ? 10 * (unsigned)(*unit == 'K' ? 1 : *unit == 'M' ? 2 : 3) : 0;

	if (strspn(value, "0123456789") != (size_t)(end - value) || end == value ||
	    (unit ? end[1] : end[0]) != '\0' || most == 0 || most > REPLICA_LARGEST >> shift)
		return usage("this is no size of a segment", value,
		             "It is a number of bytes up to 1024G; K, M or G may follow it.");
	o->replica_most = most << shift;
	return -1;
}

static int take_word(struct options *o, int id, char *value)
{
	int level;

	switch (id) {
	case GROUP:
		if (!is_group(value))
			return usage("this is no name of a group", value,
			             "It has 1 to 32 letters, digits and hyphens.");
		o->group = value;
		break;
	case HOST:
		if (!value[0] || strlen(value) > OPTIONS_HOST_MAX)
			return usage("this is no name of a host", value, "It has 1 to 63 bytes.");
		(void)snprintf(o->host, sizeof o->host, "%s", value);
		break;
	case CHANNEL:
		if (o->rules.channel_count == OPTIONS_CHANNELS_MAX)
			return usage("too many --channel", NULL, "Use a pattern, or --rules FILE.");
		o->channels[o->rules.channel_count++] = value;
		break;
	case DIRECTION:
		o->rules.directions = rules_directions(value);
		if (o->rules.directions == 0)
			return usage("this is no direction", value, "It is out, in or both.");
		o->has_direction = true;
		break;
	case READ_SEGMENT:
	case WRITE_SEGMENT:
		return take_segment(o, value, id == WRITE_SEGMENT);
	case REPLICA_MOST:
		return take_most(o, value);
	case REPLICAS:
		if (strcmp(value, "1") != 0 && strcmp(value, "3") != 0 && strcmp(value, "5") != 0)
			return usage("this is no number of replicas", value, "It is 1, 3 or 5.");
		o->replicas = value[0] - '0';
		break;
	default: /* LEVEL */
		level = log_level_of(value);
		if (level < 0)
			return usage("this is no level", value,
			             "It is error, warn, info or debug.");
		log_set_level((enum log_level)level);
	}
	return -1;
}

static int take(struct options *o, int id, char *value)
{
	switch (id) {
	case URL:
		o->security.url = value;
		break;
	case CREDS:
		o->security.creds = value;
		break;
	case NKEY:
		o->security.nkey = value;
		break;
	case USER_FILE:
		o->security.user_file = value;
		break;
	case TLS_CA:
		o->security.tls_ca = value;
		break;
	case TLS_CERT:
		o->security.tls_cert = value;
		break;
	case TLS_KEY:
		o->security.tls_key = value;
		break;
	case TLS_NAME:
		o->security.tls_name = value;
		break;
	case PLAIN:
		o->security.insecure_plain = true;
		break;
	case RULES:
		o->rules.file = value;
		break;
	case 'n':
		o->namespace_dir = value;
		break;
	case STATUS:
		o->status = true;
		break;
	case JSON:
		o->json = true;
		break;
	case SERVER:
		o->with_server = true;
		o->store = value;
		break;
	case 'h':
		(void)fputs(help, stdout);
		return BRIDGE_OK;
	case VERSION:
		(void)printf("madang-bridge %s\n", mdg_version());
		return BRIDGE_OK;
	case '?':
	case ':':
		(void)fputs("  Try 'madang-bridge --help'.\n", stderr);
		return BRIDGE_USAGE;
	default:
		return take_word(o, id, value);
	}
	return -1;
}

static int check(const struct options *o)
{
	if (o->json && !o->status)
		return usage("--json is for --status", NULL, "Add --status.");
	if (o->status)
		return -1;
	if (o->security.url && o->with_server)
		return usage("--url and --with-server", NULL,
		             "Give one of them: the own server has its own URL.");
	if (!o->security.url && !o->with_server)
		return usage("no server is named", NULL,
		             "Add --url nats://HOST:4222, or --with-server to try it.");
	if (o->has_direction && o->rules.channel_count == 0)
		return usage("--direction is for --channel", NULL,
		             "Add --channel PATTERN. Each rule of --rules FILE has its own "
		             "direction.");
	if (o->rules.channel_count == 0 && !o->rules.file && o->segment_count == 0)
		return usage("nothing may cross", NULL,
		             "Add --channel NAME, --rules FILE, --replicate NAME or --write NAME.");
	return -1;
}

int options_parse(struct options *ret, int argc, char **argv)
{
	int id, done;

	*ret = (struct options){ .group = "default",
		                 .replicas = 1,
		                 .replica_most = REPLICA_MOST_DEFAULT };
	ret->rules.channels = ret->channels;
	ret->rules.directions = 1u << BRIDGE_OUT | 1u << BRIDGE_IN;
	if (gethostname(ret->host, sizeof ret->host) != 0 || !ret->host[0])
		(void)snprintf(ret->host, sizeof ret->host, "localhost");
	ret->host[OPTIONS_HOST_MAX] = '\0';
	while ((id = getopt_long(argc, argv, "n:h", table, NULL)) != -1) {
		done = take(ret, id, optarg);
		if (done >= 0)
			return done;
	}
	if (optind < argc)
		return usage("this is no option", argv[optind], "Try 'madang-bridge --help'.");
	return check(ret);
}
