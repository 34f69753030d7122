/* Names of virtual files, built and recognised in one place. */
#include "core/locate.h"

#include "base/escape.h"

#include <stdio.h>

#define LOADERS_PREFIX  "loaders/"
#define MACHINES_PREFIX "machines/"
#define SCRIPT_NAME     "boot.ipxe"

static struct base_url url_of(const char *scheme, struct ip4 server, uint16_t port, uint16_t usual)
{
	struct base_url u;

	if (port == usual)
		(void)snprintf(u.s, sizeof(u.s), "%s://%s", scheme, ip4_str(server).s);
	else
		(void)snprintf(u.s, sizeof(u.s), "%s://%s:%u", scheme, ip4_str(server).s, port);
	return u;
}

struct base_url locate_http_url(const struct config *cfg, struct ip4 server)
{
	return url_of("http", server, cfg->http_port, 80);
}

struct base_url locate_https_url(const struct config *cfg, struct ip4 server)
{
	return url_of("https", server, cfg->https_port, 443);
}

struct base_url locate_base_url(const struct config *cfg, enum client client, struct ip4 server)
{
	bool https = cfg->https_port != 0 && (cfg->https_clients & 1u << client) != 0;

	return https ? locate_https_url(cfg, server) : locate_http_url(cfg, server);
}

const char *locate_loader_name(const char *file)
{
	const char *slash = strrchr(file, '/');

	return slash ? slash + 1 : file;
}

bool locate_wants_report(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_rules; i++)
		for (size_t k = 0; k < cfg->rules[i].n_matches; k++)
			if (cfg->rules[i].matches[k].key == MATCH_SERIAL ||
				cfg->rules[i].matches[k].key == MATCH_ASSET)
				return true;
	return false;
}

static void add_script_url(const struct config *cfg, const struct facts *facts, struct text *out)
{
	if (!facts->has_mac) { /* its address names it then */
		text_adds(out, "/" SCRIPT_NAME);
		return;
	}
	text_addf(out, "/" MACHINES_PREFIX "%s/" SCRIPT_NAME, mac_str_dashed(facts->mac).s);
	/* iPXE expands settings in a file name that DHCP gave it. */
	if (locate_wants_report(cfg))
		text_adds(out, "?serial=${serial:uristring}&asset=${asset:uristring}");
}

static void add_bootfile(const struct profile *p, enum transport transport, const char *base, struct text *out)
{
	if (p->bootfile.is_url) {
		text_adds(out, p->bootfile.path);
	} else if (transport == TRANSPORT_HTTP) {
		text_addf(out, "%s/", base);
		escape_url_path(out, span_str(p->bootfile.path));
	} else {
		text_adds(out, p->bootfile.path);
	}
}

void locate_bootfile(const struct config *cfg, const struct facts *facts, const struct answer *answer,
	struct ip4 server, struct text *out)
{
	struct base_url base = locate_base_url(cfg, facts->client, server);

	switch (answer->kind) {
	case ANSWER_ADDRESS:
		break;
	case ANSWER_LOADER:
		if (answer->transport == TRANSPORT_HTTP)
			text_addf(out, "%s/", base.s);
		text_addf(out, LOADERS_PREFIX "%s", locate_loader_name(answer->file));
		break;
	case ANSWER_SCRIPT:
		text_adds(out, base.s);
		add_script_url(cfg, facts, out);
		break;
	case ANSWER_SITE_SCRIPT:
		text_adds(out, base.s);
		if (locate_wants_report(cfg))
			add_script_url(cfg, facts, out);
		else
			text_adds(out, "/" SCRIPT_NAME);
		break;
	case ANSWER_BOOTFILE:
		add_bootfile(answer->profile, answer->transport, base.s, out);
		break;
	}
}

static void locate_machine(struct span rest, struct virtual_name *ret)
{
	const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	size_t n = slash ? (size_t)(slash - rest.p) : rest.n;

	ret->kind = VIRTUAL_MISSING;
	if (slash && mac_parse((struct span){ rest.p, n }, &ret->mac) == 0 &&
		span_eq(span_skip(rest, n + 1), SPAN_LIT(SCRIPT_NAME)))
		ret->kind = VIRTUAL_MACHINE_SCRIPT;
}

static void locate_loader(const struct config *cfg, struct span name, struct virtual_name *ret)
{
	ret->kind = VIRTUAL_MISSING;
	for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++) {
		const char *file = cfg->loaders.file[a];

		if (file && span_eq(span_str(locate_loader_name(file)), name)) {
			ret->kind = VIRTUAL_LOADER;
			ret->arch = a;
			return;
		}
	}
}

void locate_path(const struct config *cfg, struct span path, struct virtual_name *ret)
{
	const struct span loaders = SPAN_LIT(LOADERS_PREFIX), machines = SPAN_LIT(MACHINES_PREFIX);

	*ret = (struct virtual_name){ .kind = VIRTUAL_NONE };
	for (size_t i = 0; i < cfg->n_named_files; i++) {
		if (span_eq(span_str(cfg->named_files[i].name), path)) {
			ret->kind = VIRTUAL_NAMED_FILE;
			ret->named = &cfg->named_files[i];
			return;
		}
	}
	if (span_has_prefix(path, loaders))
		locate_loader(cfg, span_skip(path, loaders.n), ret);
	else if (span_has_prefix(path, machines))
		locate_machine(span_skip(path, machines.n), ret);
	else if (span_eq(path, SPAN_LIT(SCRIPT_NAME)))
		ret->kind = VIRTUAL_SITE_SCRIPT;
}
