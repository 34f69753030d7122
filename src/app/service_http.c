/* HTTP requests become virtual names; the answer opens a file, or is a script
 * (app/http_script.c).  Connections are edge/http_server.c's. */
#include "app/service_http.h"

#include "app/http_script.h"
#include "app/listeners.h"
#include "app/progress.h"
#include "base/escape.h"
#include "edge/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct service_http {
	struct site *site;
	struct http_server *server;
	struct listeners listeners, tls_listeners;
};

static void give_error(struct http_target *t, int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -EINVAL:
	case -EISDIR:
		t->status = 404;
		t->message = "no such file";
		break;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		t->status = 503;
		t->message = "the server is busy: try again";
		break;
	default: /* outside the root, a FIFO, not readable */
		t->status = 403;
		t->message = "this file may not be read";
		break;
	}
}

static void resolve(void *ctx, const struct http_peer *peer, const struct http_request *req, struct span path,
	struct http_target *ret_target)
{
	struct service_http *s = ctx;
	struct site *site = s->site;
	struct virtual_name name;
	struct stat st;
	int fd, r = -ENOENT;

	locate_path(site->cfg, path, &name);
	switch (name.kind) {
	case VIRTUAL_MACHINE_SCRIPT:
		http_script_of_machine(site, peer, name.mac, req->query, ret_target);
		return;
	case VIRTUAL_SITE_SCRIPT:
		http_script_of_site(site, peer, ret_target);
		return;
	case VIRTUAL_LOADER:
		r = site_open_again(site->now->files->loader[name.arch], &fd, &st);
		break;
	case VIRTUAL_NAMED_FILE:
		r = site_open_again(site->now->files->named[name.named - site->cfg->named_files], &fd, &st);
		break;
	case VIRTUAL_NONE:
		r = root_open_file(&site->http_root, path, &fd, &st);
		break;
	case VIRTUAL_MISSING:
		break;
	}
	if (r < 0)
		give_error(ret_target, r);
	else
		http_script_give_file(ret_target, fd, &st);
}

static void say_request(const struct http_access *a, struct text *out)
{
	text_adds(out, " ");
	escape_log(out, a->method, 16);
	text_adds(out, " ");
	escape_log(out, a->target, 200);
	if (a->status)
		text_addf(out, " -> %u", a->status);
	if (a->drop != DROP_NONE)
		text_addf(out, ", %s: %s", drop_id(a->drop), drop_sentence(a->drop));
	else if (!a->complete)
		text_addf(out, ", ended by the client after %llu of %llu octets", (unsigned long long)a->sent,
			(unsigned long long)a->length);
	else if (a->sent)
		text_addf(out, ", %llu octets in %.2f s", (unsigned long long)a->sent,
			(double)a->duration_us / 1e6);
	if (a->drop == DROP_NONE)
		progress_add_rate(a->sent, a->duration_us, out);
}

static void done(void *ctx, const struct http_access *a)
{
	struct service_http *s = ctx;
	struct text sentence = { 0 }, line = { 0 };
	struct ip4_text peer = ip4_str(a->peer->addr);
	enum log_level level = LOG_INFO;
	unsigned long hidden = 0;
	struct mac_text mac;
	struct facts facts;

	if (a->drop != DROP_NONE) {
		level = LOG_WARNING;
		if (!log_drop_due(s->site->log, a->drop, &hidden))
			return;
	}
	(void)site_facts_of_address(s->site, a->peer->addr, &facts);
	mac = mac_str(facts.mac);
	site_machine_text(s->site, &facts, a->peer->addr, &sentence);
	say_request(a, &sentence);

	const struct log_field fields[] = {
		FIELD_STR("mac", facts.has_mac ? mac.s : NULL),
		FIELD_STR("peer", peer.s),
		FIELD_TEXT("method", a->method),
		FIELD_TEXT("target", a->target),
		FIELD_NUMBER("status", a->status),
		FIELD_NUMBER("octets", a->sent),
		FIELD_NUMBER("duration_us", a->duration_us),
		FIELD_SOME("octets_per_s", progress_octets_per_s(a->sent, a->duration_us)),
		FIELD_TEXT("user_agent", a->user_agent),
		FIELD_STR("drop", a->drop != DROP_NONE ? drop_id(a->drop) : NULL),
		FIELD_SOME("hidden", hidden),
	};

	log_compose(s->site->log, level, "http", fields, ARRAY_LEN(fields), text_span(&sentence), &line);
	log_write(s->site->log, &line);
	text_free(&sentence);
	text_free(&line);
}

static void refused(void *ctx, const struct http_peer *peer, enum drop why)
{
	struct service_http *s = ctx;
	unsigned long hidden;
	struct ip4_text from = ip4_str(peer->addr);

	if (!log_drop_due(s->site->log, why, &hidden))
		return;

	const struct log_field fields[] = {
		FIELD_STR("peer", from.s),
		FIELD_STR("drop", drop_id(why)),
		FIELD_NUMBER("hidden", hidden),
	};

	log_event(s->site->log, LOG_WARNING, "http", fields, ARRAY_LEN(fields),
		"%s: a connection was turned away, %s: %s", from.s, drop_id(why), drop_sentence(why));
}

static void starved(void *ctx)
{
	struct service_http *s = ctx;
	unsigned long hidden;

	if (log_drop_due(s->site->log, DROP_HTTP_NO_DESCRIPTOR, &hidden))
		log_say(s->site->log, LOG_WARNING, "http", "%s, %s: raise the limit of open files (`ulimit -n`)",
			drop_id(DROP_HTTP_NO_DESCRIPTOR), drop_sentence(DROP_HTTP_NO_DESCRIPTOR));
}

static const struct http_hooks hooks = { .resolve = resolve, .done = done, .refused = refused,
	.starved = starved };

static int open_listener(void *server, struct ip4 addr, uint16_t port, int *ret_id)
{
	return http_server_listen(server, addr, port, ret_id);
}

static int open_tls_listener(void *server, struct ip4 addr, uint16_t port, int *ret_id)
{
	return http_server_listen_tls(server, addr, port, ret_id);
}

static void close_listener(void *server, int id)
{
	http_server_unlisten(server, id);
}

int service_http_new(uv_loop_t *loop, struct site *site, struct service_http **ret)
{
	const struct http_limits limits = { .connections = 512, .per_address = 64 };
	struct service_http *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->site = site;
	r = http_server_new(loop, &hooks, s, limits, &s->server);
	if (r < 0) {
		free(s);
		return r;
	}
	s->listeners = (struct listeners){ .topic = "http", .what = "TCP port", .open = open_listener,
		.close = close_listener, .server = s->server, .log = site->log };
	s->tls_listeners = s->listeners;
	s->tls_listeners.topic = "https";
	s->tls_listeners.open = open_tls_listener;
	*ret = s;
	return 0;
}

unsigned service_http_update(struct service_http *s, const struct ip4 *addrs, size_t n)
{
	const struct config *cfg = s->site->cfg;

	http_server_use_tls(s->server, s->site->now->files->tls);
	return listeners_update(&s->listeners, addrs, n, cfg->http_port) +
		listeners_update(&s->tls_listeners, addrs, cfg->https_port ? n : 0, cfg->https_port);
}

unsigned service_http_open_count(const struct service_http *s)
{
	return listeners_open_count(&s->listeners);
}

static void closed(void *ctx)
{
	struct service_http *s = ctx;

	http_server_free(s->server);
	free(s);
}

void service_http_close(struct service_http *s)
{
	if (s)
		http_server_close(s->server, closed, s);
}
