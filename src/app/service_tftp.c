/* TFTP requests become facts and virtual names; the answer opens a file.
 * The transfer itself is edge/tftp_server.c's and core/tftp_session.c's. */
#include "app/service_tftp.h"

#include "app/listeners.h"
#include "app/progress.h"
#include "base/escape.h"
#include "edge/tftp_server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct service_tftp {
	struct site *site;
	struct root root;
	struct tftp_server *server;
	struct listeners listeners;
};

/* No path of ours in any sentence: it goes to whoever asks. */
static void give_error(struct tftp_target *target, int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -EINVAL:
		target->error = TFTP_ERROR_NOT_FOUND;
		target->sentence = "file not found";
		break;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		target->error = TFTP_ERROR_OTHER;
		target->sentence = "the server is busy: try again";
		break;
	default: /* outside the root, a directory, a FIFO, not readable */
		target->error = TFTP_ERROR_ACCESS;
		target->sentence = "access violation";
		break;
	}
}

/* Strangers from elsewhere could make us send to whom they like (T-13). */
static bool admit(void *ctx, const struct tftp_peer *peer)
{
	const struct service_tftp *s = ctx;

	return served_by_address(s->site->nets, peer->remote) != NULL;
}

static void resolve(void *ctx, struct tftp_pending *request, const struct tftp_peer *peer, struct span path)
{
	struct tftp_target target = { .kind = TFTP_TARGET_ERROR };
	struct service_tftp *s = ctx;
	struct site *site = s->site;
	struct virtual_name name;
	struct stat st;
	int fd, r = -ENOENT;

	(void)peer;
	locate_path(site->cfg, path, &name);
	switch (name.kind) {
	case VIRTUAL_LOADER:
		r = site_open_again(site->now->files->loader[name.arch], &fd, &st);
		break;
	case VIRTUAL_NAMED_FILE:
		r = site_open_again(site->now->files->named[name.named - site->cfg->named_files], &fd, &st);
		break;
	case VIRTUAL_SITE_SCRIPT: /* a name of HTTP's only */
	case VIRTUAL_NONE:
		r = root_open_file(&s->root, path, &fd, &st);
		break;
	case VIRTUAL_MACHINE_SCRIPT:
	case VIRTUAL_MISSING:
		break;
	}
	if (r < 0) {
		give_error(&target, r);
	} else {
		target.kind = TFTP_TARGET_FILE;
		target.fd = fd;
	}
	tftp_server_answer(s->server, request, &target);
}

static void say_sent(const struct tftp_session *t, uint64_t duration_us, struct text *out)
{
	text_addf(out, "sent, %llu octets in %.2f s", (unsigned long long)t->terms.size, (double)duration_us / 1e6);
	progress_add_rate(t->terms.size, duration_us, out);
	text_addf(out, " (blksize %u", t->terms.blksize);
	if (t->terms.windowsize > 1)
		text_addf(out, ", windowsize %u", t->terms.windowsize);
	if (t->resent)
		text_addf(out, ", %u resent", (unsigned)t->resent);
	text_addc(out, ')');
}

static void say_outcome(const struct tftp_access *a, struct text *out)
{
	static const char *const words[] = {
		[TFTP_RUNNING] = "ended: the server stops",
		[TFTP_STOPPED] = "ended: the server stops",
		[TFTP_SENT] = "sent",
		[TFTP_PROBE] = "size asked, as UEFI does before it loads a file",
		[TFTP_REFUSED] = "refused",
		[TFTP_ABORTED] = "ended by the client",
		[TFTP_TIMEOUT] = "given up: the client fell silent for 60 s",
		[TFTP_EVICTED] = "given up: it never acknowledged anything, and others wait",
		[TFTP_SUPERSEDED] = "given up: the client asked for another file",
		[TFTP_CHANGED] = "ended: the file changed while it was sent",
		[TFTP_FAILED] = "failed",
	};
	bool has_reason = a->outcome == TFTP_REFUSED || a->outcome == TFTP_ABORTED || a->outcome == TFTP_FAILED;

	if (a->outcome == TFTP_SENT && a->session) {
		say_sent(a->session, a->duration_us, out);
		return;
	}
	text_adds(out, words[a->outcome]);
	if (has_reason && a->sentence.n) {
		text_adds(out, ": ");
		escape_log(out, a->sentence, 128);
	}
}

static bool is_trouble(enum tftp_outcome o)
{
	return o == TFTP_TIMEOUT || o == TFTP_CHANGED || o == TFTP_FAILED || o == TFTP_ABORTED;
}

static void done(void *ctx, const struct tftp_access *a)
{
	struct service_tftp *s = ctx;
	struct text sentence = { 0 }, line = { 0 };
	struct ip4_text peer = ip4_str(a->peer->remote);
	unsigned long hidden;
	struct mac_text mac;
	struct facts facts;

	/* No descriptor, or no room: who asks in vain asks again, and so do all others. */
	if (!a->session && a->error == TFTP_ERROR_OTHER && !log_drop_due(s->site->log, DROP_TFTP_TOO_MANY, &hidden))
		return;
	(void)site_facts_of_address(s->site, a->peer->remote, &facts);
	site_form_worked(s->site, &facts);
	mac = mac_str(facts.mac);
	site_machine_text(s->site, &facts, a->peer->remote, &sentence);
	text_adds(&sentence, " \"");
	escape_log(&sentence, a->request->file, 200);
	text_adds(&sentence, "\" ");
	say_outcome(a, &sentence);

	const struct log_field fields[] = {
		FIELD_STR("mac", facts.has_mac ? mac.s : NULL),
		FIELD_STR("peer", peer.s),
		FIELD_TEXT("file", a->request->file),
		FIELD_STR("outcome", tftp_session_outcome_name(a->outcome)),
		FIELD_NUMBER("octets", a->session ? a->session->terms.size : 0),
		FIELD_NUMBER("blksize", a->session ? a->session->terms.blksize : 0),
		FIELD_NUMBER("windowsize", a->session ? a->session->terms.windowsize : 0),
		FIELD_NUMBER("retransmissions", a->session ? a->session->resent : 0),
		FIELD_NUMBER("duration_us", a->duration_us),
		FIELD_SOME("octets_per_s", a->session && a->outcome == TFTP_SENT ?
				progress_octets_per_s(a->session->terms.size, a->duration_us) : 0),
	};

	log_compose(s->site->log, is_trouble(a->outcome) ? LOG_WARNING : LOG_INFO, "tftp", fields,
		ARRAY_LEN(fields), text_span(&sentence), &line);
	log_write(s->site->log, &line);
	text_free(&sentence);
	text_free(&line);
}

static void dropped(void *ctx, enum drop why, const struct tftp_peer *peer)
{
	struct service_tftp *s = ctx;
	unsigned long hidden;
	struct ip4_text from = ip4_str(peer->remote);

	if (!log_drop_due(s->site->log, why, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("peer", from.s),
		FIELD_STR("drop", drop_id(why)),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "tftp", fields, ARRAY_LEN(fields),
		"%s port %u: a packet dropped, %s: %s", from.s, peer->remote_port, drop_id(why),
		drop_sentence(why));
}

static const struct tftp_hooks hooks = { .admit = admit, .resolve = resolve, .done = done, .dropped = dropped };

static int open_listener(void *server, struct ip4 addr, uint16_t port, int *ret_id)
{
	return tftp_server_listen(server, addr, port, NULL, ret_id, NULL);
}

static void close_listener(void *server, int id)
{
	tftp_server_unlisten(server, id);
}

int service_tftp_new(uv_loop_t *loop, struct site *site, struct service_tftp **ret)
{
	struct service_tftp *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	s->root.fd = -1;
	r = tftp_server_new(loop, &hooks, s, (struct tftp_limits){ 0 }, &s->server);
	if (r < 0) {
		free(s);
		return r;
	}
	s->listeners = (struct listeners){ .topic = "tftp", .what = "UDP port", .open = open_listener,
		.close = close_listener, .server = s->server, .log = site->log };
	*ret = s;
	return 0;
}

unsigned service_tftp_update(struct service_tftp *s, const struct ip4 *addrs, size_t n)
{
	root_close(&s->root); /* the configuration may be another */
	s->root = root_open(s->site->cfg->tftp_root);
	tftp_server_set_single_port(s->server, s->site->cfg->tftp_single_port);
	return listeners_update(&s->listeners, addrs, n, s->site->cfg->tftp_port);
}

unsigned service_tftp_open_count(const struct service_tftp *s)
{
	return listeners_open_count(&s->listeners);
}

static void closed(void *ctx)
{
	struct service_tftp *s = ctx;

	root_close(&s->root);
	free(s);
}

void service_tftp_close(struct service_tftp *s)
{
	if (s)
		tftp_server_close(s->server, closed);
}
