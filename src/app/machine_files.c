/* Templates for the machines that they are for. */
#include "app/machine_files.h"

#include "app/disk_answer.h"
#include "app/machines.h"
#include "app/template_files.h"
#include "core/text_kind.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

struct file_request {
	struct site *site;
	struct question *question;
	const struct machine *machine; /* the configuration's, or NULL */
	struct facts facts;            /* of who asks */
	char installed_url[MACHINES_URL_MAX];
};

static const char *protocol(const struct question *q)
{
	return q->transport == TRANSPORT_TFTP ? "tftp" : "http";
}

/* For the log, and for whoever asks. */
static void refuse(struct file_request *r, int error, const char *fmt, ...) PRINTF(3, 4);
static void refuse(struct file_request *r, int error, const char *fmt, ...)
{
	const struct mac_text mac = mac_str(r->facts.mac);
	const struct ip4_text address = ip4_str(r->question->peer);
	const struct log_field fields[] = { FIELD_STR("mac", r->facts.has_mac ? mac.s : NULL),
		FIELD_STR("address", address.s) };
	struct text sentence = { 0 }, who = { 0 };
	va_list ap;

	va_start(ap, fmt);
	text_addv(&sentence, fmt, ap);
	va_end(ap);
	site_machine_text(r->site, &r->facts, r->question->peer, &who);
	log_event(r->site->log, LOG_WARNING, protocol(r->question), fields, ARRAY_LEN(fields),
		"%s: %s", text_str(&who), text_str(&sentence));
	given_error(&r->question->given, error, "%s", text_str(&sentence));
	text_free(&who);
	text_free(&sentence);
}

/* Is the machine that has the peer's address the one of this name? */
static bool is_the_machines_own(const struct file_request *r, const struct virtual_name *name)
{
	const struct machine *m = r->machine;
	struct facts who = { .has_mac = name->has_mac, .mac = name->mac };

	if (m && !m->has_mac) {
		who.has_uuid = m->has_uuid;
		who.uuid = m->uuid;
	}
	return (m || name->has_mac) && site_is_machine(r->site, r->question->peer, &who);
}

/* The profile that it runs: what it was given last goes before what it would be given
 * now, which may be to boot its disk. */
static const struct profile *profile_of(struct file_request *r, struct answer *answer)
{
	const struct profile *given = NULL;

	site_decide(r->site, &r->facts, answer);
	if (r->facts.state && r->facts.state->given[0])
		given = config_find_profile(r->site->cfg, span_str(r->facts.state->given));
	if (given)
		answer->profile = given;
	return answer->profile;
}

static const struct profile_file *file_of(const struct profile *p, struct span name)
{
	for (size_t i = 0; p && i < p->n_files; i++)
		if (span_eq(span_str(p->files[i].name), name))
			return &p->files[i];
	return NULL;
}

/* A file on its way: read, with its partials, and rendered by a worker. */
struct rendering {
	struct disk_answer disk;
	struct question *question;
	struct facts facts; /* what a text may say of the machine, all of it our own */
	struct text hostname;
	char installed_url[MACHINES_URL_MAX];
	struct answer answer;
	const struct profile_file *file;
	/* what the worker made */
	struct text out, refusal;
};

static void render_file(struct disk_answer *disk)
{
	struct rendering *r = (struct rendering *)disk;
	const struct config *cfg = disk->now->cfg;
	const struct profile_file *f = r->file;
	const struct text_kind *kind = text_kind_of(span_str(f->name));
	struct root root = root_open(cfg->templates_root);
	struct template_files files = { .dirfd = root.fd };
	const struct template_sink sink = { kind->stranger, kind->own, template_files_read,
		&files };
	struct machine_vars vars = machine_vars_of(&r->facts, &r->answer, r->question->peer,
		r->question->local, locate_http_url(cfg, r->question->local));
	struct template_error error = { 0 };
	struct span source;
	int e = template_files_read(&files, span_str(f->source.path), &source);

	vars.installed_url = r->installed_url;
	if (e < 0)
		text_addf(&r->refusal, "the template %s of profile %s cannot be read: %s",
			f->source.path, r->answer.profile->name, strerror(-e));
	else if (machine_vars_render_as(source, &vars, &sink, &r->out, &error) == -EINVAL)
		text_addf(&r->refusal, "%s, line %u: %s",
			error.partial[0] ? error.partial : f->source.path, error.line,
			error.message);
	template_files_free(&files);
	root_close(&root);
}

static void give_rendered(struct disk_answer *disk)
{
	struct rendering *r = (struct rendering *)disk;
	struct file_request request = {
		.site = disk->site, .question = r->question, .facts = r->facts
	};

	if (r->refusal.n)
		refuse(&request, -EBADMSG, "%s", text_str(&r->refusal));
	else
		given_text(&r->question->given, &r->out,
			text_kind_of(span_str(r->file->name))->content_type);
	machines_answer(disk->site, r->question);
	text_free(&r->hostname);
	text_free(&r->out);
	text_free(&r->refusal);
	free(r);
}

static void begin_rendering(
	struct file_request *request, const struct answer *answer, const struct profile_file *f)
{
	const struct facts *facts = &request->facts;
	struct rendering *r = calloc(1, sizeof(*r));

	if (r)
		text_add(&r->hostname, facts->hostname);
	if (!r || r->hostname.failed) {
		free(r);
		given_error(&request->question->given, -ENOMEM, "%s", "");
		return;
	}
	/* Others may learn something of the machine, or forget it, while the worker reads. */
	r->facts = (struct facts){ .client = facts->client,
		.transport = facts->transport,
		.has_arch = facts->has_arch,
		.arch_number = facts->arch_number,
		.arch = facts->arch,
		.has_mac = facts->has_mac,
		.mac = facts->mac,
		.has_uuid = facts->has_uuid,
		.uuid = facts->uuid,
		.hostname = text_span(&r->hostname) };
	memcpy(r->installed_url, request->installed_url, sizeof(r->installed_url));
	r->answer = *answer;
	r->file = f;
	r->disk.read = render_file;
	r->disk.give = give_rendered;
	r->question = request->question;
	r->question->given.kind = GIVEN_LATER;
	disk_answer_begin(&r->disk, request->site, &request->site->disks[DISK_TEMPLATES]);
}

/* False: refused. */
static bool init(struct file_request *r, struct site *site, struct question *q,
	const struct virtual_name *name)
{
	*r = (struct file_request){ .site = site, .question = q };
	r->machine = name->has_mac ? config_find_machine(site->cfg, &name->mac, NULL)
				   : config_find_machine_named(site->cfg, name->who);
	(void)site_facts_of_address(site, q->peer, &r->facts);
	if (is_the_machines_own(r, name))
		return true;
	refuse(r, -EACCES,
		"this is another machine's file: only that machine may have it, known by its address");
	return false;
}

bool machine_files_may_have(struct site *site, struct question *q, const struct virtual_name *name)
{
	struct file_request r;

	return init(&r, site, q, name);
}

void machine_files_give(struct site *site, struct question *q, const struct virtual_name *name)
{
	const struct profile_file *f;
	const struct profile *p;
	struct file_request r;
	struct answer answer;

	if (!init(&r, site, q, name))
		return;
	if (!r.facts.has_mac && r.machine && r.machine->has_mac) {
		r.facts.has_mac = true;
		r.facts.mac = r.machine->mac;
	}
	/* An installer that asks is a plain client by then; its profile is what it booted by. */
	r.facts.client = CLIENT_IPXE;
	r.facts.transport = TRANSPORT_HTTP;
	p = profile_of(&r, &answer);
	f = file_of(p, name->file);
	machines_installed_url(site, q, &r.facts, &answer, r.installed_url);
	if (!f) {
		refuse(&r, -ENOENT, "no such file: %s%s",
			p ? "it is none of profile " : "no profile applies to this machine",
			p ? p->name : "");
		return;
	}
	/* Without it the installer could not tell that it is done, and would run again. */
	if (p->install && r.installed_url[0] == '\0') {
		refuse(&r, -EBUSY,
			"the machine's state cannot be stored just now, so it is not installed: try again");
		return;
	}
	answer.machine = answer.machine ? answer.machine : r.machine;
	begin_rendering(&r, &answer, f);
}
