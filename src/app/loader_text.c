/* grub.cfg and pxelinux.cfg/…; see loader_text.h. */
#include "app/loader_text.h"

#include "app/brought_file.h"
#include "app/machines.h"
#include "core/grub_cfg.h"
#include "core/pxelinux_cfg.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_TYPE "text/plain; charset=utf-8"

struct request {
	struct site *site;
	struct question *question;
	const struct language *language;
	struct facts facts;
	struct answer answer;
	struct machine_vars vars;
	struct text url; /* of this text, in the words of its loader */
	char files[LOCATE_FILES_MAX];
	char installed_url[MACHINES_URL_MAX];
};

struct language {
	const char *loader;
	void (*add_url)(const struct request *r, struct text *out);
	int (*profile)(const struct profile *p, const struct machine_vars *vars, struct text *out,
		struct template_error *ret_error);
	void (*retry)(const char *reason, const struct profile *p, const struct machine_vars *vars,
		struct text *out);
};

/* "(tftp,172.24.0.1)/grub/grub.cfg" */
static void add_grub_url(const struct request *r, struct text *out)
{
	if (r->question->transport == TRANSPORT_HTTP)
		text_addf(out, "(http,%s)/", r->vars.base.s + strlen("http://"));
	else
		text_addf(out, "(tftp,%s)/", ip4_str(r->vars.server).s);
	text_add(out, r->question->path);
}

/* "172.24.0.1::pxelinux/pxelinux.cfg/default" */
static void add_pxelinux_url(const struct request *r, struct text *out)
{
	if (r->question->transport == TRANSPORT_HTTP)
		text_addf(out, "%s/", r->vars.base.s);
	else
		text_addf(out, "%s::", ip4_str(r->vars.server).s);
	text_add(out, r->question->path);
}

static void retry_grub(const char *reason, const struct profile *p, const struct machine_vars *vars,
	struct text *out)
{
	(void)p;
	grub_cfg_retry(reason, vars->url, out);
}

static const struct language grub = { "GRUB", add_grub_url, grub_cfg_profile, retry_grub };
static const struct language pxelinux = { "PXELINUX", add_pxelinux_url, pxelinux_cfg_profile,
	pxelinux_cfg_retry };

/* Whoever asks boots from the network, also where the DHCP of its loader did not say so (GRUB's own says nothing). */
static struct ip4 find_machine(struct site *site, const struct question *q,
	const struct virtual_name *name, struct facts *ret)
{
	struct ip4 address = q->peer;

	if (name->has_mac)
		address = site_facts_of_mac(site, name->mac, q->peer, ret);
	else
		(void)site_facts_of_address(site, q->peer, ret);
	if (!ret->has_uuid && name->has_uuid) {
		ret->has_uuid = true;
		ret->uuid = name->uuid;
	}
	if (ret->client == CLIENT_DHCP)
		ret->client = CLIENT_PXE;
	ret->transport = q->transport;
	return address;
}

static void init(
	struct request *r, struct site *site, struct question *q, const struct virtual_name *name)
{
	struct ip4 address;

	*r = (struct request){ .site = site,
		.question = q,
		.language = name->kind == VIRTUAL_GRUB_CFG ? &grub : &pxelinux };
	address = find_machine(site, q, name, &r->facts);
	r->facts.api_is_silent = q->api_is_silent;
	site_decide(site, &r->facts, &r->answer);
	machines_installed_url(site, q, &r->facts, &r->answer, r->installed_url);
	r->vars = machine_vars_of(&r->facts, &r->answer, address, q->local,
		locate_http_url(site->cfg, q->local)); /* neither loader knows TLS */
	r->language->add_url(r, &r->url);
	r->vars.installed_url = r->installed_url;
	r->vars.url = text_str(&r->url);
	r->vars.files = r->files;
}

/* Tells the machine on its own screen, and us in the log, why there is nothing. */
static void give_reason(struct request *r, const char *reason)
{
	struct text text = { 0 };

	site_say_nothing_to_run(r->site, r->question->transport == TRANSPORT_HTTP ? "http" : "tftp",
		&r->facts, r->question->peer, reason);
	r->language->retry(reason, r->answer.profile, &r->vars, &text);
	given_text(&r->question->given, &text, TEXT_TYPE);
}

static void give_profile(struct request *r, const struct profile *p)
{
	struct template_error error = { 0 };
	struct text text = { 0 };
	char reason[320];

	if (r->language->profile(p, &r->vars, &text, &error) == -EINVAL) {
		text_free(&text);
		(void)snprintf(reason, sizeof(reason),
			"the command line of profile %s, line %u: %s", p->name, error.line,
			error.message);
		give_reason(r, reason);
		return;
	}
	given_text(&r->question->given, &text, TEXT_TYPE);
	if (r->question->given.kind == GIVEN_TEXT &&
		p->kind == PROFILE_LOCAL) /* else its kernel counts */
		machines_given(r->site, r->question, &r->facts, &r->answer);
}

/* Now or later; false: there is none, and that is what was given. */
static bool give_root_file(struct request *r)
{
	struct question *q = r->question;
	struct stat st;
	int fd, e = brought_file_open(r->site, q, site_root(q->transport), q->path, &fd, &st);

	if (e == -EINPROGRESS)
		return true;
	if (e == 0)
		given_file(&q->given, fd, &st);
	else
		given_error(&q->given, e, "%s", "");
	return e == 0;
}

/* On hold, or unknown where such are ignored: not even the site's own file. */
static bool stays_away(const struct answer *a)
{
	return !a->profile &&
		(a->rule_kind == RULE_STATE ||
			(a->rule_kind == RULE_UNKNOWN && a->unknown == UNKNOWN_IGNORE));
}

/* Nothing that this loader could boot: the site's own file, or the reason why. */
static void give_own_file(struct request *r, const struct virtual_name *name, const char *reason)
{
	if (!give_root_file(r) && !name->optional)
		give_reason(r, reason);
}

static void give_no_profile(struct request *r, const struct virtual_name *name)
{
	char reason[160] = "no profile applies to this machine";

	if (r->answer.rule_kind == RULE_UNKNOWN && r->facts.has_mac)
		(void)snprintf(reason, sizeof(reason),
			"this machine is not in the configuration and waits for: bootsmith machine boot %s PROFILE",
			mac_str(r->facts.mac).s);
	else if (r->answer.rule_kind == RULE_UNKNOWN)
		(void)snprintf(reason, sizeof(reason),
			"this machine is not in the configuration, and its MAC is not known");
	give_own_file(r, name, reason);
}

static void give_decided(struct request *r, const struct virtual_name *name)
{
	const char *refused = machines_refuse(r->site, &r->answer);
	const struct profile *p = r->answer.profile;
	char reason[160];

	if (refused) {
		give_reason(r, refused);
	} else if (stays_away(&r->answer)) {
		give_reason(r, r->answer.why);
	} else if (r->answer.rule_kind == RULE_API) {
		boot_api_ask(r->site->api, r->question, r->facts.mac);
	} else if (!p) {
		give_no_profile(r, name);
	} else if (p->kind == PROFILE_KERNEL || p->kind == PROFILE_LOCAL) {
		locate_profile_files(p, r->files);
		give_profile(r, p);
	} else if (p->kind == PROFILE_BOOTFILE) {
		(void)give_root_file(r);
	} else {
		(void)snprintf(reason, sizeof(reason),
			"profile %s is an iPXE script, which %s cannot run", p->name,
			r->language->loader);
		give_own_file(r, name, reason);
	}
}

/* What the boot API has said, unless something else was ordered meanwhile. */
static void give_told(
	struct request *r, const struct virtual_name *name, const struct boot_api_word *word)
{
	char reason[160];

	if (word->verdict == BOOT_API_RULES || r->answer.rule_kind != RULE_API) {
		give_decided(r, name);
	} else if (word->verdict == BOOT_API_WAIT) {
		give_reason(r, word->why);
	} else if (word->answer->script) {
		(void)snprintf(reason, sizeof(reason),
			"the boot API answers with an iPXE script, which %s cannot run",
			r->language->loader);
		give_own_file(r, name, reason);
	} else {
		locate_machine_files(r->facts.mac, r->files);
		give_profile(r, &word->answer->profile);
	}
}

void loader_text_give(struct site *site, struct question *q, const struct virtual_name *name)
{
	struct request r;

	init(&r, site, q, name);
	if (r.url.failed)
		given_error(&q->given, -ENOMEM, "%s", "");
	else
		give_decided(&r, name);
	text_free(&r.url);
}

void loader_text_told(struct site *site, struct question *q, const struct virtual_name *name,
	struct mac mac, const struct boot_api_word *word)
{
	struct virtual_name told = *name;
	struct request r;

	told.has_mac = true; /* whoever has its address by now */
	told.mac = mac;
	q->api_is_silent = word->verdict == BOOT_API_RULES;
	init(&r, site, q, &told);
	if (r.url.failed)
		given_error(&q->given, -ENOMEM, "%s", "");
	else
		give_told(&r, &told, word);
	text_free(&r.url);
}
