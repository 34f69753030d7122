/* What a machine is to run, as text: whose, and with what in it. */
#include "app/boot_text.h"

#include "app/boot_api.h"
#include "app/brought_file.h"
#include "app/machines.h"
#include "base/escape.h"
#include "core/url_query.h"

#include <errno.h>
#include <stdio.h>

#define SCRIPT_TYPE "text/plain; charset=utf-8"

/* One request for a machine's script. */
struct script_request {
	struct site *site;
	struct question *question;
	struct facts facts;
	struct answer answer;
	struct machine_vars vars;
	char url[192]; /* of the script itself */
	char installed_url[MACHINES_URL_MAX];
	struct given *given;
};

static void give_text(struct script_request *r, struct text *text)
{
	given_text(r->given, text, SCRIPT_TYPE);
}

/* The text by which the machine boots what was decided. */
static void give_boot(struct script_request *r, struct text *text)
{
	give_text(r, text);
	if (r->given->kind == GIVEN_TEXT)
		machines_given(r->site, r->question, &r->facts, &r->answer);
}

/* What only iPXE can tell, told by the URL that it expanded (core/locate.c). */
static void take_report(struct site *site, const struct question *q, struct mac mac)
{
	uint8_t serial[CLIENT_TEXT_MAX], asset[CLIENT_TEXT_MAX];

	machines_reported(site, q, mac);
	clients_report(site->clients, mac,
		url_query_value(q->query, SPAN_LIT("serial"), serial, sizeof(serial)),
		url_query_value(q->query, SPAN_LIT("asset"), asset, sizeof(asset)));
}

static void script_request_init(struct script_request *r, struct site *site, struct question *q,
	const struct facts *facts, struct ip4 address, const char *path)
{
	*r = (struct script_request){
		.site = site, .question = q, .facts = *facts, .given = &q->given
	};
	/* Whoever asks for a script runs iPXE, whatever it was when DHCP last heard it. */
	r->facts.client = CLIENT_IPXE;
	r->facts.transport = TRANSPORT_HTTP;
	site_decide(site, &r->facts, &r->answer);
	machines_installed_url(site, q, &r->facts, &r->answer, r->installed_url);
	r->vars = machine_vars_of(&r->facts, &r->answer, address, q->local,
		locate_base_url(site->cfg, CLIENT_IPXE, q->local));
	r->vars.url = r->url;
	r->vars.installed_url = r->installed_url;
	(void)snprintf(r->url, sizeof(r->url), "%s/%s", r->vars.base.s, path);
}

/* Tells the machine on its own screen, and us in the log, why there is nothing. */
static void give_reason(struct script_request *r, const char *reason)
{
	struct text script = { 0 };

	site_say_nothing_to_run(r->site, "http", &r->facts, r->question->peer, reason);
	ipxe_script_retry(reason, r->url, &script);
	give_text(r, &script);
}

static void give_template_error(
	struct script_request *r, const char *file, const struct template_error *e)
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
	int e = brought_file_read(r->site, r->question, DISK_HTTP_ROOT, span_str(p->script.path),
		CONFIG_SCRIPT_MAX, &source);

	if (e == -EINPROGRESS)
		return;
	if (e < 0) {
		(void)snprintf(reason, sizeof(reason),
			"the script %s of profile %s cannot be read: %s", p->script.path, p->name,
			strerror(-e));
		give_reason(r, reason);
	} else if (machine_vars_render(
			   text_span(&source), &r->vars, escape_ipxe, &script, &error) == -EINVAL) {
		give_template_error(r, p->script.path, &error);
	} else {
		give_boot(r, &script);
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
	give_boot(r, &script);
}

/* boot.ipxe of the root, byte for byte, now or later; false where there is none. */
static bool give_site_file(struct site *site, struct question *q)
{
	struct stat st;
	int fd, r = brought_file_open(site, q, DISK_HTTP_ROOT, SPAN_LIT("boot.ipxe"), &fd, &st);

	if (r == 0) {
		given_file(&q->given, fd, &st);
		q->given.content_type = SCRIPT_TYPE;
	}
	return r == 0 || r == -EINPROGRESS;
}

static void give_site_script(struct script_request *r)
{
	char reason[320];

	if (give_site_file(r->site, r->question)) {
		if (r->given->kind == GIVEN_FILE)
			machines_given(r->site, r->question, &r->facts, &r->answer);
		return;
	}
	(void)snprintf(reason, sizeof(reason),
		"no profile applies to this machine and there is no readable %.200s/boot.ipxe",
		r->site->cfg->http_root);
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
		text_addf(&script, "tftp://%s/", ip4_str(r->question->local).s);
		escape_url_path(&script, span_str(p->bootfile.path));
	}
	text_addc(&script, '\n');
	give_boot(r, &script);
}

static void give_registration(struct script_request *r)
{
	struct text script = { 0 };

	ipxe_script_register(&r->vars, &script);
	give_text(r, &script);
}

static void give_script(struct script_request *r)
{
	const char *refused = machines_refuse(r->site, &r->answer);

	if (refused) {
		give_reason(r, refused);
		return;
	}
	switch (r->answer.kind) {
	case ANSWER_SCRIPT:
		if (r->answer.rule_kind == RULE_API)
			boot_api_ask(r->site->api, r->question, r->facts.mac);
		else
			give_profile(r, r->answer.profile);
		break;
	case ANSWER_BOOTFILE:
		give_bootfile(r, r->answer.profile);
		break;
	case ANSWER_REGISTER:
		give_registration(r);
		break;
	case ANSWER_ADDRESS: /* nothing to boot, and the reason why */
		give_reason(r, r->answer.why);
		break;
	case ANSWER_NONE:
		given_error(r->given, -ENOENT, "%s", "");
		break;
	case ANSWER_SITE_SCRIPT:
	case ANSWER_LOADER: /* not for iPXE; total all the same */
	case ANSWER_IMAGE:
	case ANSWER_LOCAL:
		give_site_script(r);
		break;
	}
}

/* The script that machines/MAC/boot.ipxe stands for. */
static void request_of_machine(
	struct script_request *r, struct site *site, struct question *q, struct mac mac)
{
	struct facts facts;
	struct ip4 address = site_facts_of_mac(site, mac, q->peer, &facts);
	char path[64];

	facts.api_is_silent = q->api_is_silent;
	(void)snprintf(path, sizeof(path), "machines/%s/" MACHINE_SCRIPT, mac_str_dashed(mac).s);
	script_request_init(r, site, q, &facts, address, path);
}

void boot_text_of_machine(struct site *site, struct question *q, struct mac mac)
{
	struct script_request r;

	take_report(site, q, mac);
	request_of_machine(&r, site, q, mac);
	give_script(&r);
}

void boot_text_told(
	struct site *site, struct question *q, struct mac mac, const struct boot_api_word *word)
{
	struct script_request r;
	struct text script = { 0 };

	q->api_is_silent = word->verdict == BOOT_API_RULES;
	request_of_machine(&r, site, q, mac);
	/* Or something was ordered while the API was asked. */
	if (word->verdict == BOOT_API_RULES || r.answer.rule_kind != RULE_API) {
		give_script(&r);
	} else if (word->verdict == BOOT_API_WAIT) {
		give_reason(&r, word->why);
	} else if (word->answer->script) {
		text_adds(&script, word->answer->script);
		give_text(&r, &script);
	} else {
		give_profile(&r, &word->answer->profile);
	}
}

/* It is what a machine that runs iPXE already gets in place of a profile whose boot file is iPXE. */
static void site_script_given(struct site *site, struct question *q, struct facts *f)
{
	struct answer a;

	f->client = CLIENT_IPXE;
	f->transport = TRANSPORT_HTTP;
	site_decide(site, f, &a);
	if (a.kind == ANSWER_SITE_SCRIPT)
		machines_given(site, q, f, &a);
}

void boot_text_of_site(struct site *site, struct question *q)
{
	struct script_request r;
	struct facts facts;

	(void)site_facts_of_address(site, q->peer, &facts);
	if (give_site_file(site, q)) {
		if (q->given.kind == GIVEN_FILE)
			site_script_given(site, q, &facts);
		return;
	}
	script_request_init(&r, site, q, &facts, q->peer, "boot.ipxe");
	give_script(&r);
}
