/* Names of virtual files, built and recognised in one place. */
#include "core/locate.h"

#include "base/escape.h"

#include <stdio.h>

#define LOADERS_PREFIX  "loaders/"
#define MACHINES_PREFIX "machines/"
#define PROFILES_PREFIX "profiles/"
#define SITE_SCRIPT     "boot.ipxe"

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

const char *locate_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static struct span plain_loader_name(const char *path)
{
	const struct span suffix = SPAN_LIT(".signed");
	struct span name = span_str(locate_file_name(path));

	if (name.n > suffix.n && span_eq(span_skip(name, name.n - suffix.n), suffix))
		name.n -= suffix.n;
	return name;
}

/* Stubs are parts of images and have no name. */
static bool is_named_alike_before(
	const struct config *cfg, enum loader_family family, enum arch arch, struct span name)
{
	for (enum loader_family f = 0; f < FAMILY_STUB; f++)
		for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++) {
			const char *path = cfg->loaders.file[f][a].path;

			if (f == family && a == arch)
				return false;
			if (path && span_eq(plain_loader_name(path), name))
				return true;
		}
	return false;
}

void locate_loader_name(const struct config *cfg, enum loader_family family, enum arch arch,
	char ret[static LOADER_NAME_MAX])
{
	struct span name = plain_loader_name(cfg->loaders.file[family][arch].path);
	bool alike = is_named_alike_before(cfg, family, arch, name);

	(void)snprintf(ret, LOADER_NAME_MAX, "%s%s%.*s", alike ? arch_name(arch) : "",
		alike ? "-" : "", (int)name.n, (const char *)name.p);
}

void locate_profile_files(const struct profile *p, char ret[static LOCATE_FILES_MAX])
{
	(void)snprintf(ret, LOCATE_FILES_MAX, PROFILES_PREFIX "%s", p->name);
}

void locate_machine_files(struct mac mac, char ret[static LOCATE_FILES_MAX])
{
	(void)snprintf(ret, LOCATE_FILES_MAX, MACHINES_PREFIX "%s", mac_str_dashed(mac).s);
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
		text_adds(out, "/" SITE_SCRIPT);
		return;
	}
	text_addf(out, "/" MACHINES_PREFIX "%s/" MACHINE_SCRIPT, mac_str_dashed(facts->mac).s);
	/* iPXE expands settings in a file name that DHCP gave it. */
	if (locate_wants_report(cfg))
		text_adds(out, "?serial=${serial:uristring}&asset=${asset:uristring}");
}

static void add_bootfile(
	const struct profile *p, enum transport transport, const char *base, struct text *out)
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

void locate_bootfile(const struct config *cfg, const struct facts *facts,
	const struct answer *answer, struct ip4 server, struct text *out)
{
	struct base_url base = locate_base_url(cfg, facts->client, server);
	char name[LOADER_NAME_MAX];

	switch (answer->kind) {
	case ANSWER_ADDRESS:
	case ANSWER_NONE:
		break;
	case ANSWER_LOCAL:
		if (facts->client == CLIENT_HTTP && facts->has_mac)
			text_addf(out, "%s/" MACHINES_PREFIX "%s/" MACHINE_LOCAL_DISK, base.s,
				mac_str_dashed(facts->mac).s);
		break;
	case ANSWER_LOADER:
		if (answer->transport == TRANSPORT_HTTP)
			text_addf(out, "%s/", base.s);
		locate_loader_name(cfg, answer->family, answer->arch, name);
		text_addf(out, LOADERS_PREFIX "%s", name);
		break;
	case ANSWER_SCRIPT:
	case ANSWER_REGISTER:
		text_adds(out, base.s);
		add_script_url(cfg, facts, out);
		break;
	case ANSWER_SITE_SCRIPT:
		text_adds(out, base.s);
		if (locate_wants_report(cfg))
			add_script_url(cfg, facts, out);
		else
			text_adds(out, "/" SITE_SCRIPT);
		break;
	case ANSWER_IMAGE:
		if (facts->has_mac)
			text_addf(out, "%s/" MACHINES_PREFIX "%s/%s", base.s,
				mac_str_dashed(facts->mac).s,
				answer->family == FAMILY_STUB ? MACHINE_IMAGE : MACHINE_DISK);
		break;
	case ANSWER_BOOTFILE:
		add_bootfile(answer->profile, answer->transport, base.s, out);
		break;
	}
}

static void locate_machine(struct span rest, struct virtual_name *ret)
{
	const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	size_t n = slash ? (size_t)(slash - rest.p) : 0;

	ret->kind = VIRTUAL_MISSING;
	ret->who = (struct span){ rest.p, n };
	ret->file = span_skip(rest, n + 1);
	if (ret->who.n == 0 || ret->file.n == 0)
		return;
	ret->kind = VIRTUAL_MACHINE_FILE;
	ret->has_mac = mac_parse(ret->who, &ret->mac) == 0;
}

bool locate_takes_post(struct span path)
{
	struct virtual_name name = { .kind = VIRTUAL_NONE };
	const struct span prefix = SPAN_LIT(MACHINES_PREFIX);

	if (span_has_prefix(path, prefix))
		locate_machine(span_skip(path, prefix.n), &name);
	return name.kind == VIRTUAL_MACHINE_FILE &&
		span_eq(name.file, SPAN_LIT(MACHINE_PHONE_HOME));
}

static void locate_loader(const struct config *cfg, struct span name, struct virtual_name *ret)
{
	ret->kind = VIRTUAL_MISSING;
	for (enum loader_family f = 0; f < FAMILY_STUB; f++)
		for (enum arch a = ARCH_BIOS; a < ARCH_OTHER; a++) {
			char own[LOADER_NAME_MAX];

			if (!cfg->loaders.file[f][a].path)
				continue;
			locate_loader_name(cfg, f, a, own);
			if (span_eq(span_str(own), name)) {
				*ret = (struct virtual_name){
					.kind = VIRTUAL_LOADER, .family = f, .arch = a
				};
				return;
			}
		}
}

static void locate_profile_file(
	const struct config *cfg, struct span rest, struct virtual_name *ret)
{
	const struct span initrd = SPAN_LIT("initrd");
	const uint8_t *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;
	struct span name = { rest.p, slash ? (size_t)(slash - rest.p) : 0 },
		    file = span_skip(rest, name.n + 1);
	const struct profile *p = config_find_profile(cfg, name);
	char own[32];

	ret->kind = VIRTUAL_MISSING;
	if (!p || p->kind != PROFILE_KERNEL)
		return;
	if (span_eq(file, SPAN_LIT("kernel")))
		ret->ref = &p->kernel;
	for (size_t i = 0; i < p->n_initrds && span_has_prefix(file, initrd); i++) {
		(void)snprintf(own, sizeof(own), "initrd%zu", i);
		if (span_eq(file, span_str(own)))
			ret->ref = &p->initrds[i];
	}
	if (!ret->ref)
		return;
	ret->kind = VIRTUAL_PROFILE_FILE;
	ret->profile = p;
}

/* --- names that loaders ask for by themselves --- */

static bool has_suffix(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_skip(s, s.n - suffix.n), suffix);
}

/* The last step of a path, and the one before it; empty where there is none. */
static struct span last_step(struct span path, struct span *ret_directory)
{
	size_t at = path.n, before;

	while (at > 0 && path.p[at - 1] != '/')
		at--;
	before = at > 0 ? at - 1 : 0;
	while (before > 0 && path.p[before - 1] != '/')
		before--;
	*ret_directory = at > 0 ? (struct span){ path.p + before, at - 1 - before } : SPAN_NONE;
	return span_skip(path, at);
}

/* "01-52-54-00-12-34-56", the hardware type before the MAC; or a UUID. */
static void take_identity(struct span text, struct virtual_name *ret)
{
	if (span_has_prefix(text, SPAN_LIT("01-")))
		ret->has_mac = mac_parse(span_skip(text, 3), &ret->mac) == 0;
	ret->has_uuid = uuid_parse(text, &ret->uuid) == 0;
}

/* GRUB: grub.cfg, and before it grub.cfg-<uuid>, grub.cfg-01-<mac> and grub.cfg-<address in
 * hex>, whatever directory it was built for; its lists of modules are welcome, not needed. */
static bool locate_for_grub(struct span name, struct span directory, struct virtual_name *ret)
{
	const struct span cfg = SPAN_LIT("grub.cfg");

	if (span_eq(name, cfg) || (span_has_prefix(name, SPAN_LIT("grub.cfg-")))) {
		ret->kind = VIRTUAL_GRUB_CFG;
		ret->optional = name.n > cfg.n;
		take_identity(span_skip(name, name.n > cfg.n ? cfg.n + 1 : cfg.n), ret);
		return true;
	}
	if (has_suffix(name, SPAN_LIT(".lst")) &&
		(has_suffix(directory, SPAN_LIT("-efi")) ||
			has_suffix(directory, SPAN_LIT("-pc")))) {
		ret->optional = true;
		return true;
	}
	return false;
}

/* PXELINUX: pxelinux.cfg/<uuid>, /01-<mac>, /<address in hex>, cut shorter and shorter, and
 * /default.  All of them mean the machine that asks. */
static bool locate_for_pxelinux(struct span name, struct span directory, struct virtual_name *ret)
{
	if (!span_eq(directory, SPAN_LIT("pxelinux.cfg")))
		return false;
	ret->kind = VIRTUAL_PXELINUX_CFG;
	ret->optional = !span_eq(name, SPAN_LIT("default"));
	take_identity(name, ret);
	return true;
}

/* Shim's second stage, its helpers and revocations, iPXE's own script: rhboot/shim#300,
 * tinkerbell/tinkerbell#424. */
static bool locate_beside(struct span name, struct virtual_name *ret)
{
	static const struct {
		const char *prefix, *suffix;
		bool optional;
	} names[] = {
		{ "grub", ".efi", false },
		{ "mm", ".efi", true },
		{ "fb", ".efi", true },
		{ "revocations", ".efi", true },
		{ "shim_certificate", ".efi", true },
		{ "autoexec.ipxe", "", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_has_prefix(name, span_str(names[i].prefix)) &&
			has_suffix(name, span_str(names[i].suffix))) {
			ret->kind = VIRTUAL_BESIDE;
			ret->optional = names[i].optional;
			ret->file = name;
			return true;
		}
	return false;
}

/* One of these names stands alone, or in the directory of our loaders: elsewhere a
 * file of that name is the site's own. */
static bool lost_its_directory(struct span directory)
{
	return directory.n == 0 || span_eq(directory, SPAN_LIT("loaders"));
}

static void locate_loader_path(struct span path, struct virtual_name *ret)
{
	struct span directory, name = last_step(path, &directory);

	if (locate_for_pxelinux(name, directory, ret) || locate_for_grub(name, directory, ret))
		return;
	if (lost_its_directory(directory))
		(void)locate_beside(name, ret);
}

bool locate_asks_for_machine(enum virtual_kind kind)
{
	return kind == VIRTUAL_MACHINE_FILE || kind == VIRTUAL_SITE_SCRIPT ||
		kind == VIRTUAL_GRUB_CFG || kind == VIRTUAL_PXELINUX_CFG || kind == VIRTUAL_BESIDE;
}

void locate_path(const struct config *cfg, struct span path, struct virtual_name *ret)
{
	const struct span loaders = SPAN_LIT(LOADERS_PREFIX), machines = SPAN_LIT(MACHINES_PREFIX),
			  profiles = SPAN_LIT(PROFILES_PREFIX);

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
	else if (span_has_prefix(path, profiles))
		locate_profile_file(cfg, span_skip(path, profiles.n), ret);
	else if (span_eq(path, SPAN_LIT(SITE_SCRIPT)))
		ret->kind = VIRTUAL_SITE_SCRIPT;
	if (ret->kind == VIRTUAL_NONE ||
		(ret->kind == VIRTUAL_MISSING && span_has_prefix(path, loaders)))
		locate_loader_path(path, ret);
}
