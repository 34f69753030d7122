/* HTTP requests become facts and virtual names; the answer opens a file or
 * renders a script.  Connections are edge/http_server.c's. */
#include "app/service_http.h"

#include "app/listeners.h"
#include "base/escape.h"
#include "edge/files.h"
#include "edge/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRIPT_TYPE "text/plain; charset=utf-8"

struct service_http {
	struct site *site;
	struct http_server *server;
	struct listeners listeners;
};

/* One request for a machine's script. */
struct script_request {
	struct service_http *service;
	const struct http_peer *peer;
	struct facts facts;
	struct answer answer;
	struct script_vars vars;
	char url[192]; /* of the script itself */
	struct http_target *target;
};

static void give_fd(struct http_target *t, int fd, const struct stat *st)
{
	t->kind = HTTP_TARGET_FILE;
	t->fd = fd;
	t->st = *st;
}

static void give_text(struct http_target *t, struct text *text)
{
	if (text->failed) {
		text_free(text);
		t->status = 503;
		t->message = "the server is out of memory: try again";
		return;
	}
	t->kind = HTTP_TARGET_TEXT;
	t->text = *text;
	t->content_type = SCRIPT_TYPE;
	*text = (struct text){ 0 };
}

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

/* A value of the query, its escapes decoded into buf; empty when not there. */
static struct span query_value(struct span query, struct span key, uint8_t *buf, size_t cap)
{
	while (query.n) {
		const uint8_t *amp = memchr(query.p, '&', query.n);
		struct span pair = { query.p, amp ? (size_t)(amp - query.p) : query.n };

		query = span_skip(query, pair.n + 1);
		if (!span_has_prefix(pair, key) || pair.n == key.n || pair.p[key.n] != '=')
			continue;
		pair = span_skip(pair, key.n + 1);

		size_t n = 0;

		for (size_t i = 0; i < pair.n && n < cap; i++) {
			bool escaped = pair.p[i] == '%' && i + 2 < pair.n && hex_digit_value(pair.p[i + 1]) >= 0 &&
				hex_digit_value(pair.p[i + 2]) >= 0;

			if (escaped) {
				buf[n++] = (uint8_t)(hex_digit_value(pair.p[i + 1]) << 4 | hex_digit_value(pair.p[i + 2]));
				i += 2;
			} else {
				buf[n++] = pair.p[i];
			}
		}
		return (struct span){ buf, n };
	}
	return SPAN_NONE;
}

/* What only iPXE can tell, told by the URL that it expanded (core/locate.c). */
static void take_report(struct service_http *s, struct mac mac, struct span query)
{
	uint8_t serial[CLIENT_TEXT_MAX], asset[CLIENT_TEXT_MAX];

	clients_report(s->site->clients, mac, query_value(query, SPAN_LIT("serial"), serial, sizeof(serial)),
		query_value(query, SPAN_LIT("asset"), asset, sizeof(asset)));
}

static void script_request_init(struct script_request *r, struct service_http *s, const struct http_peer *peer,
	const struct facts *facts, struct ip4 address, const char *path, struct http_target *target)
{
	struct site *site = s->site;

	*r = (struct script_request){ .service = s, .peer = peer, .facts = *facts, .target = target };
	/* Whoever asks for a script runs iPXE, whatever it was when DHCP last heard it. */
	r->facts.client = CLIENT_IPXE;
	r->facts.transport = TRANSPORT_HTTP;
	boot_decide(site->cfg, &r->facts, &r->answer);
	r->vars = (struct script_vars){
		.facts = &r->facts,
		.machine = r->answer.machine,
		.address = address,
		.server = peer->local_addr,
		.base = locate_base_url(site->cfg, peer->local_addr),
		.url = r->url,
	};
	(void)snprintf(r->url, sizeof(r->url), "%s/%s", r->vars.base.s, path);
}

/* Tells the machine on its own screen, and us in the log, why there is nothing. */
static void give_reason(struct script_request *r, const char *reason)
{
	struct text script = { 0 };
	struct text who = { 0 };

	site_machine_text(r->service->site, &r->facts, r->peer->addr, &who);
	log_say(r->service->site->log, LOG_WARNING, "http", "%s has nothing to run: %s", text_str(&who), reason);
	text_free(&who);
	ipxe_script_retry(reason, r->url, &script);
	give_text(r->target, &script);
}

static void give_template_error(struct script_request *r, const char *file, const struct template_error *e)
{
	char reason[320];

	(void)snprintf(reason, sizeof(reason), "%s, line %u: %s", file, e->line, e->message);
	give_reason(r, reason);
}

static void give_script_file(struct script_request *r, const struct profile *p)
{
	struct text source = { 0 }, script = { 0 };
	struct template_error error = { 0 };
	char reason[320];
	struct stat st;
	int fd, e;

	e = site_open_http(r->service->site, span_str(p->script.path), &fd, &st);
	if (e == 0) {
		e = files_read_all(fd, CONFIG_SCRIPT_MAX, &source);
		close(fd);
	}
	if (e < 0) {
		(void)snprintf(reason, sizeof(reason), "the script %s of profile %s cannot be read: %s",
			p->script.path, p->name, strerror(-e));
		give_reason(r, reason);
	} else if (ipxe_script_template(text_span(&source), &r->vars, &script, &error) == -EINVAL) {
		give_template_error(r, p->script.path, &error);
	} else {
		give_text(r->target, &script);
	}
	text_free(&source);
	text_free(&script);
}

static void give_profile(struct script_request *r, const struct profile *p)
{
	struct text script = { 0 };
	struct template_error error = { 0 };

	if (p->kind == PROFILE_SCRIPT) {
		give_script_file(r, p);
		return;
	}
	if (ipxe_script_profile(p, &r->vars, &script, &error) == -EINVAL) {
		text_free(&script);
		give_template_error(r, "cmdline", &error);
		return;
	}
	give_text(r->target, &script);
}

/* boot.ipxe of the root, byte for byte, or the reason why there is nothing. */
static void give_site_script(struct script_request *r)
{
	struct site *site = r->service->site;
	char reason[320];
	struct stat st;
	int fd, e;

	e = site_open_http(site, SPAN_LIT("boot.ipxe"), &fd, &st);
	if (e == 0) {
		give_fd(r->target, fd, &st);
		r->target->content_type = SCRIPT_TYPE;
		return;
	}
	(void)snprintf(reason, sizeof(reason),
		"no profile applies to this machine and there is no readable %.200s/boot.ipxe", site->cfg->http_root);
	give_reason(r, reason);
}

/* DHCP would have given the file itself; the profile changed in between. */
static void give_bootfile(struct script_request *r, const struct profile *p)
{
	struct text script = { 0 };

	text_adds(&script, "#!ipxe\nchain --replace ");
	if (p->bootfile.is_url) {
		text_adds(&script, p->bootfile.path);
	} else {
		text_addf(&script, "tftp://%s/", ip4_str(r->peer->local_addr).s);
		escape_url_path(&script, span_str(p->bootfile.path));
	}
	text_addc(&script, '\n');
	give_text(r->target, &script);
}

static void give_script(struct script_request *r)
{
	switch (r->answer.kind) {
	case ANSWER_SCRIPT:
		give_profile(r, r->answer.profile);
		break;
	case ANSWER_BOOTFILE:
		give_bootfile(r, r->answer.profile);
		break;
	case ANSWER_SITE_SCRIPT:
	case ANSWER_ADDRESS: /* not for iPXE; total all the same */
	case ANSWER_LOADER:
		give_site_script(r);
		break;
	}
}

static void resolve_machine_script(struct service_http *s, const struct http_peer *peer, struct mac mac,
	struct span query, struct http_target *target)
{
	struct facts facts = { .client = CLIENT_IPXE };
	struct script_request r;
	struct ip4 address = peer->addr;
	char path[64];

	take_report(s, mac, query);
	if (!clients_find(s->site->clients, mac, &facts, &address)) {
		facts.has_mac = true;
		facts.mac = mac;
	}
	(void)snprintf(path, sizeof(path), "machines/%s/boot.ipxe", mac_str_dashed(mac).s);
	script_request_init(&r, s, peer, &facts, address, path, target);
	give_script(&r);
}

static void resolve_site_script(struct service_http *s, const struct http_peer *peer, struct http_target *target)
{
	struct script_request r;
	struct facts facts;
	struct stat st;
	int fd;

	if (site_open_http(s->site, SPAN_LIT("boot.ipxe"), &fd, &st) == 0) {
		give_fd(target, fd, &st);
		target->content_type = SCRIPT_TYPE;
		return;
	}
	(void)site_facts_of_address(s->site, peer->addr, &facts);
	script_request_init(&r, s, peer, &facts, peer->addr, "boot.ipxe", target);
	give_script(&r);
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
		resolve_machine_script(s, peer, name.mac, req->query, ret_target);
		return;
	case VIRTUAL_SITE_SCRIPT:
		resolve_site_script(s, peer, ret_target);
		return;
	case VIRTUAL_LOADER:
		r = site_open_again(site->files.loader[name.arch], &fd, &st);
		break;
	case VIRTUAL_NAMED_FILE:
		r = site_open_again(site->files.named[name.named - site->cfg->named_files], &fd, &st);
		break;
	case VIRTUAL_NONE:
		r = site_open_http(site, path, &fd, &st);
		break;
	case VIRTUAL_MISSING:
		break;
	}
	if (r < 0)
		give_error(ret_target, r);
	else
		give_fd(ret_target, fd, &st);
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
	*ret = s;
	return 0;
}

unsigned service_http_update(struct service_http *s, const struct ip4 *addrs, size_t n)
{
	return listeners_update(&s->listeners, addrs, n, s->site->cfg->http_port);
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
