/* bootsmith explain: what a client would be told, and why, as text or JSON. */
#include "app/config_files.h"
#include "app/explain.h"
#include "base/escape.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "core/rules.h"
#include "edge/files.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPTURE_MAX (256u << 20) /* octets of a file that is read as a whole */

static const char help[] =
	"usage: bootsmith explain [-c FILE] [--mac MAC] [--arch NAME|N] [--vendor-class TEXT]\n"
	"                         [--user-class TEXT] [--uuid UUID] [--giaddr IP] [--json]\n"
	"       bootsmith explain [-c FILE] --pcap FILE [--json]\n"
	"\n"
	"Says what such a client would be told, and by which rule. Sends nothing.\n"
	"\n"
	"  -c, --config FILE    the configuration (default: /etc/bootsmith/bootsmith.yaml where that exists)\n"
	"  -i, --interface IFACE, --http-root DIR, --tftp-root DIR, --profile NAME: as for `bootsmith serve`\n"
	"      --mac MAC        its hardware address (default: 00:00:00:00:00:01)\n"
	"      --arch NAME|N    its architecture: bios, ia32, x64, arm32, arm64, a name or number of the\n"
	"                       IANA registry (x64-uefi-http, 16); without: a plain DHCP client\n"
	"      --vendor-class TEXT  option 60, such as PXEClient:Arch:00007:UNDI:003000\n"
	"                       (default: what --arch implies)\n"
	"      --user-class TEXT    option 77, such as iPXE (default: none)\n"
	"      --uuid UUID      its SMBIOS UUID (default: none)\n"
	"      --giaddr IP      the relay agent that its request comes through (default: none)\n"
	"      --pcap FILE      instead of one client: each DHCP request of a capture (pcap or pcapng,\n"
	"                       Ethernet), in its order, beginning with no leases\n"
	"      --json           one JSON document, with --pcap an array (default: text)\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit code: 0 well, 1 it could not be told, 2 wrong usage.\n";

enum long_only {
	OPT_L_MAC = OPTIONS_OWN,
	OPT_L_ARCH,
	OPT_L_VENDOR_CLASS,
	OPT_L_USER_CLASS,
	OPT_L_UUID,
	OPT_L_GIADDR,
	OPT_L_PCAP,
	OPT_L_JSON,
};

static const struct option long_options[] = {
	{ "mac", required_argument, NULL, OPT_L_MAC },
	{ "arch", required_argument, NULL, OPT_L_ARCH },
	{ "vendor-class", required_argument, NULL, OPT_L_VENDOR_CLASS },
	{ "user-class", required_argument, NULL, OPT_L_USER_CLASS },
	{ "uuid", required_argument, NULL, OPT_L_UUID },
	{ "giaddr", required_argument, NULL, OPT_L_GIADDR },
	{ "pcap", required_argument, NULL, OPT_L_PCAP },
	{ "json", no_argument, NULL, OPT_L_JSON },
	OPTIONS_COMMON_LONG,
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	struct explain_question q;
	struct options_common common;
	bool describes; /* a client, by any option */
	const char *pcap;
	bool json;
};

static int take_arch(struct parsed *p, const char *text)
{
	const struct arch_type *type = arch_type_find_name(span_str(text));
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (type)
		n = type->number;
	else if (*text == '\0' || *end != '\0' || n > UINT16_MAX)
		return options_wrong_usage("explain", "\"%s\" is no architecture", text);
	p->q.has_arch = true;
	p->q.arch = (uint16_t)n;
	return 0;
}

static int take_option(struct parsed *p, int c)
{
	switch (c) {
	case OPT_L_MAC:
		p->q.has_mac = mac_parse(span_str(optarg), &p->q.mac) == 0;
		return p->q.has_mac
			? 0
			: options_wrong_usage("explain", "\"%s\" is no MAC address", optarg);
	case OPT_L_ARCH:
		return take_arch(p, optarg);
	case OPT_L_VENDOR_CLASS:
		p->q.vendor_class = optarg;
		return 0;
	case OPT_L_USER_CLASS:
		p->q.user_class = optarg;
		return 0;
	case OPT_L_UUID:
		p->q.has_uuid = uuid_parse(span_str(optarg), &p->q.uuid) == 0;
		return p->q.has_uuid ? 0
				     : options_wrong_usage("explain", "\"%s\" is no UUID", optarg);
	case OPT_L_GIADDR:
		if (ip4_parse(span_str(optarg), &p->q.giaddr) < 0)
			return options_wrong_usage("explain", "\"%s\" is no IPv4 address", optarg);
		return 0;
	case OPT_L_PCAP:
		p->pcap = optarg;
		return 0;
	case OPT_L_JSON:
		p->json = true;
		return 0;
	default:
		return options_take_common(&p->common, "explain", c);
	}
}

static const char *transport_name(enum transport t)
{
	return t == TRANSPORT_TFTP ? "tftp" : t == TRANSPORT_HTTP ? "http" : NULL;
}

static void option_text(const struct dhcp4_out_option *o, struct text *out)
{
	const struct dhcp4_option_info *info = dhcp4_option_find(o->code);

	if (o->code == OPT_MESSAGE_TYPE && o->value.n == 1)
		text_adds(out, dhcp4_type_name((enum dhcp4_type)o->value.p[0]));
	else
		dhcp4_option_format(info ? info->type : OPT_T_HEX, o->value, out);
}

static void option_name(uint8_t code, struct text *out)
{
	const struct dhcp4_option_info *info = dhcp4_option_find(code);

	if (info)
		text_adds(out, info->name);
	else
		text_addf(out, "%u", code);
}

/* "rule 2 (line 31) would have won but for arch: it is x64, not arm64". */
static void say_near_rule(const struct rule *r, const struct match *miss,
	const struct rule_facts *f, struct text *out)
{
	text_addf(out, "rule %u (line %u) would have won but for %s: ", r->number, r->pos.line,
		match_key_name(miss->key));
	if (f->of[miss->key].n == 0) {
		text_adds(out, "not known at this stage");
		return;
	}
	text_adds(out, "it is ");
	escape_log(out, f->of[miss->key].list[0], 64);
	text_adds(out, ", not ");
	for (size_t v = 0; v < miss->n_values; v++) {
		text_adds(out, v ? " or " : "");
		escape_log(out, span_str(miss->values[v]), 64);
	}
}

#define NEAR_RULES_MAX 10

/* Rules before the winner that miss by one key only. */
static void each_near_rule(
	const struct explanation *e, void (*say)(void *ctx, const char *text), void *ctx)
{
	const struct answer *a = &e->plan.answer;
	struct rule_facts facts;
	unsigned n = 0;

	rule_facts_init(&e->plan.facts, &facts);
	for (size_t i = 0; i < e->cfg->n_rules && n < NEAR_RULES_MAX; i++) {
		const struct rule *r = &e->cfg->rules[i];
		const struct match *miss;
		struct text text = { 0 };

		if (a->rule == r || a->rule_kind == RULE_MACHINE)
			break;
		miss = rule_nearly_fits(r, &facts);
		if (!miss)
			continue;
		n++;
		say_near_rule(r, miss, &facts, &text);
		say(ctx, text_str(&text));
		text_free(&text);
	}
}

static void say_line(void *ctx, const char *text)
{
	(void)ctx;
	(void)printf("%-12s %s\n", "note", text);
}

/* The URLs of what is rendered for the machine, of its profile's files. */
static void each_file(
	const struct explanation *e, void (*say)(void *ctx, const char *url), void *ctx)
{
	const struct profile *p = e->plan.answer.profile;
	const struct facts *f = &e->plan.facts;
	const struct base_url base = locate_http_url(e->cfg, e->plan.server);

	for (size_t i = 0; p && f->has_mac && i < p->n_files; i++) {
		struct text url = { 0 };

		text_addf(&url, "%s/machines/%s/%s", base.s, mac_str_dashed(f->mac).s,
			p->files[i].name);
		say(ctx, text_str(&url));
		text_free(&url);
	}
}

static void say_file(void *ctx, const char *url)
{
	(void)ctx;
	(void)printf("%-12s %s\n", "file", url);
}

static const char *request_name(const struct explanation *e)
{
	return e->msg.type ? dhcp4_type_name(e->msg.type) : "request";
}

static void print_text(const struct explanation *e)
{
	const struct answer *a = &e->plan.answer;
	const struct facts *f = &e->plan.facts;
	char rule[RULE_TEXT_MAX];

	answer_rule_text(a, rule);
	if (e->packet)
		(void)printf("packet %u: %s from %s\n", e->packet, request_name(e),
			f->has_mac ? mac_str(f->mac).s : "no MAC");
	(void)printf("%-12s %s", "client", facts_kind_text(f));
	if (f->has_arch)
		(void)printf(" (architecture %u, %s)", f->arch_number, facts_arch_name(f));
	(void)printf("\n%-12s %s\n", "profile", a->profile ? a->profile->name : "none");
	(void)printf("%-12s %s\n", "rule", rule);
	if (a->why[0]) /* empty where it was dropped before there was anything to decide */
		(void)printf("%-12s %s\n", "why", a->why);
	if (e->plan.drop != DROP_NONE)
		(void)printf("%-12s no answer, %s: %s\n", "told", drop_id(e->plan.drop),
			drop_sentence(e->plan.drop));
	else if (e->bootfile.n)
		(void)printf("%-12s %s%s\n", "boot file", text_str(&e->bootfile),
			a->transport == TRANSPORT_TFTP && !strstr(text_str(&e->bootfile), "://")
				? " by TFTP"
				: "");
	else
		(void)printf("%-12s %s\n", "told",
			e->plan.reply_type == DHCP4_NAK ? "NAK" : "no boot file");
	each_file(e, say_file, NULL);
	if (e->address_why.n)
		(void)printf("%-12s %s%s%s\n", "address", e->address.v ? ip4_str(e->address).s : "",
			e->address.v ? ", " : "", text_str(&e->address_why));
	if (e->plan.drop == DROP_NONE && e->plan.note)
		(void)printf("%-12s %s\n", "note", e->plan.note);
	each_near_rule(e, say_line, NULL);
	if (e->not_here)
		(void)printf(
			"%-12s no network of the configuration is up here: our address stands as 0.0.0.0\n",
			"note");
	for (size_t i = 0; i < e->plan.out.n_options; i++) {
		struct text name = { 0 }, value = { 0 };

		option_name(e->plan.out.options[i].code, &name);
		option_text(&e->plan.out.options[i], &value);
		(void)printf("%-12s %3u %s = %s\n", "option", e->plan.out.options[i].code,
			text_str(&name), text_str(&value));
		text_free(&name);
		text_free(&value);
	}
}

static void add_note(void *ctx, const char *text)
{
	(void)json_array_append_new(ctx, json_string(text));
}

static json_t *string_or_null(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

static json_t *options_json(const struct explanation *e)
{
	json_t *options = json_object();

	for (size_t i = 0; i < e->plan.out.n_options; i++) {
		struct text name = { 0 }, value = { 0 };

		option_name(e->plan.out.options[i].code, &name);
		option_text(&e->plan.out.options[i], &value);
		(void)json_object_set_new(options, text_str(&name), json_string(text_str(&value)));
		text_free(&name);
		text_free(&value);
	}
	return options;
}

static json_t *to_json(const struct explanation *e)
{
	const struct answer *a = &e->plan.answer;
	const struct facts *f = &e->plan.facts;
	const struct dhcp4_plan *p = &e->plan;
	json_t *notes = json_array(), *files = json_array();
	char rule[RULE_TEXT_MAX];

	answer_rule_text(a, rule);
	each_near_rule(e, add_note, notes);
	each_file(e, add_note, files);
	return json_pack(
		"{s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"packet", e->packet ? json_integer(e->packet) : json_null(), "request",
		string_or_null(e->msg.type ? dhcp4_type_name(e->msg.type) : NULL), "mac",
		string_or_null(f->has_mac ? mac_str(f->mac).s : NULL), "kind",
		client_name(f->client), "arch",
		f->has_arch ? arch_name(f->arch) : arch_name(ARCH_UNKNOWN), "arch_number",
		f->has_arch ? json_integer(f->arch_number) : json_null(), "transport",
		string_or_null(transport_name(a->transport)), "profile",
		string_or_null(a->profile ? a->profile->name : NULL), "rule", rule, "why", a->why,
		"bootfile", string_or_null(text_str(&e->bootfile)), "next_server",
		string_or_null(p->out.siaddr.v ? ip4_str(p->out.siaddr).s : NULL), "address",
		string_or_null(e->address.v ? ip4_str(e->address).s : NULL), "address_why",
		string_or_null(text_str(&e->address_why)), "options", options_json(e), "reply",
		string_or_null(p->drop == DROP_NONE && p->reply_type
				? dhcp4_type_name(p->reply_type)
				: NULL),
		"drop", string_or_null(p->drop != DROP_NONE ? drop_id(p->drop) : NULL), "files",
		files, "notes", notes);
}

/* Takes the document over.  The exit code. */
static int print_json(json_t *document)
{
	char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;

	json_decref(document);
	if (!text) {
		(void)fprintf(stderr, "bootsmith explain: out of memory\n");
		return 1;
	}
	(void)puts(text);
	free(text);
	return 0;
}

static int load(const struct parsed *p, struct config **ret)
{
	const char *file = options_config_file(p->common.config);
	char message[CONFIG_MESSAGE_MAX] = "out of memory";
	struct config_errors errs = { 0 };
	struct text source = { 0 }, report = { 0 };
	int r;

	if (!file) {
		r = config_new(ret);
		if (r == 0)
			r = config_override_apply(*ret, &p->common.override, message);
		if (r < 0)
			(void)fprintf(stderr, "bootsmith explain: %s\n", message);
		return r;
	}
	r = config_files_load(file, &p->common.override, &errs, &source, ret);
	if (r < 0) {
		config_files_print_errors(file, text_span(&source), &errs, &report);
		(void)fputs(text_str(&report), stderr);
	}
	config_errors_free(&errs);
	text_free(&source);
	text_free(&report);
	return r;
}

static int fail(const char *what, int error)
{
	(void)fprintf(
		stderr, "bootsmith explain: %s%s%s\n", what, *what ? ": " : "", strerror(-error));
	return 1;
}

static int run_question(struct explainer *x, const struct parsed *p)
{
	struct explanation e;
	int r = explain_question(x, &p->q, &e), code = 0;

	if (r < 0)
		code = fail("", r);
	else if (p->json)
		code = print_json(to_json(&e));
	else
		print_text(&e);
	explanation_free(&e);
	return code;
}

static int read_capture(const char *path, struct text *ret_file)
{
	struct stat st;
	int fd, r = files_open_path(path, &fd, &st);

	if (r < 0)
		return r;
	r = files_read_all(fd, CAPTURE_MAX, ret_file);
	close(fd);
	return r;
}

static bool add_to_array(void *ctx, const struct explanation *e)
{
	return json_array_append_new(ctx, to_json(e)) == 0;
}

static bool print_block(void *ctx, const struct explanation *e)
{
	bool *is_first = ctx;

	if (!*is_first)
		(void)puts("");
	*is_first = false;
	print_text(e);
	return true;
}

/* What is odd about a capture goes to standard error: the document is whole. */
static void say_oddities(const char *path, const struct explain_capture *c)
{
	if (c->is_broken)
		(void)fprintf(stderr, "bootsmith explain: %s ends inside packet %u\n", path,
			c->packets + 1);
	if (c->not_ethernet)
		(void)fprintf(stderr,
			"bootsmith explain: %u of %u packets are no Ethernet frames: capture on the interface itself, not on \"any\"\n",
			c->not_ethernet, c->packets);
	else if (c->requests == 0)
		(void)fprintf(stderr,
			"bootsmith explain: none of the %u packets is a DHCPv4 request\n",
			c->packets);
}

static int run_capture(struct explainer *x, const struct parsed *p)
{
	struct explain_capture found = { 0 };
	struct text file = { 0 };
	json_t *array = p->json ? json_array() : NULL;
	bool is_first = true;
	int r = read_capture(p->pcap, &file);

	if (r == 0) {
		r = p->json ? explain_capture(x, text_span(&file), add_to_array, array, &found)
			    : explain_capture(x, text_span(&file), print_block, &is_first, &found);
		if (r == -EINVAL)
			(void)fprintf(stderr,
				"bootsmith explain: %s is no capture: it is neither pcap nor pcapng\n",
				p->pcap);
	} else {
		(void)fail(p->pcap, r);
	}
	text_free(&file);
	if (r < 0) {
		json_decref(array);
		return 1;
	}
	say_oddities(p->pcap, &found);
	return p->json ? print_json(array) : 0;
}

static int run(const struct parsed *p)
{
	struct config *cfg = NULL;
	struct explainer x = { 0 };
	int r = load(p, &cfg), code = 1;

	if (r == 0) {
		r = explainer_open(cfg, &x);
		if (r < 0)
			code = fail("", r);
		else
			code = p->pcap ? run_capture(&x, p) : run_question(&x, p);
		explainer_close(&x);
	}
	config_free(cfg);
	return code;
}

int verb_explain(int argc, char **argv)
{
	struct parsed p = { 0 };
	int c, r;

	while ((c = getopt_long(argc, argv, OPTIONS_COMMON_LETTERS, long_options, NULL)) != -1) {
		p.describes = p.describes || (c >= OPT_L_MAC && c < OPT_L_PCAP);
		r = take_option(&p, c);
		if (r != 0)
			return r;
	}
	if (p.common.help) {
		(void)fputs(help, stdout);
		return 0;
	}
	if (optind < argc)
		return options_wrong_usage("explain", "\"%s\" is no option", argv[optind]);
	if (p.pcap && p.describes)
		return options_wrong_usage(
			"explain", "--pcap takes its clients from the capture, not from options");
	if (!options_config_file(p.common.config) && p.common.override.n_interfaces == 0)
		return options_wrong_usage("explain",
			"name a configuration with -c FILE, or an interface with -i IFACE");
	return run(&p);
}
