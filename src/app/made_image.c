/* Makes images for machines; see made_image.h. */
#include "app/made_image.h"

#include "app/boot_disk.h"
#include "app/disk_answer.h"
#include "app/image_gather.h"
#include "app/machines.h"
#include "app/unified_image.h"
#include "base/escape.h"
#include "core/grub_cfg.h"
#include "wire/pe.h"

#include <errno.h>
#include <stdlib.h>

/* Firmware gives up on a head that does not come for 5 s (EDK2's PcdHttpIoTimeout), and
 * shows no reason then.  What comes in pieces has 5 s for each. */
#define WAIT_MS 4000u

/* An image on its way: what lies elsewhere is waited for until its size is known, and the
 * kernel's head; then all is opened and laid out by a worker, since a disk may be slow. */
struct making {
	struct disk_answer disk;
	struct site *site;
	struct question *question;
	struct snapshot *now; /* whose profile it is */
	struct boot_parts of;
	struct mac mac;
	struct ip4 address;          /* the machine's, as far as is known */
	struct text text;            /* of these */
	struct source_file *fetched; /* likewise */
	size_t n_parts;
	/* what the worker found */
	int error;
	struct http_parts *parts;
	struct text why;
};

static void making_free(struct making *m)
{
	for (size_t i = 0; i < m->n_parts; i++)
		source_file_close(&m->fetched[i]);
	free(m->fetched);
	text_free(&m->text);
	text_free(&m->why);
	snapshot_unref(m->now);
	free(m);
}

static void give_reason(const struct making *m, int error, const char *reason)
{
	const struct facts who = { .has_mac = true, .mac = m->mac };

	site_say_nothing_to_run(m->site, "http", &who, m->address, reason);
	given_error(&m->question->given, error, "%s", reason);
}

static void assemble(struct disk_answer *disk)
{
	struct making *m = (struct making *)disk;

	m->error = m->of.family == FAMILY_STUB ? unified_image_assemble(&m->of, &m->parts, &m->why)
					       : boot_disk_assemble(&m->of, &m->parts, &m->why);
}

static void answer(struct making *m)
{
	machines_answer(m->site, m->question);
	making_free(m);
}

static void give_assembled(struct disk_answer *disk)
{
	struct making *m = (struct making *)disk;

	if (m->error == 0)
		given_parts(&m->question->given, m->parts);
	else
		give_reason(m, m->error,
			m->error == -EBADMSG ? text_str(&m->why) : strerror(-m->error));
	answer(m);
}

static void make(struct making *m)
{
	m->disk.read = assemble;
	m->disk.give = give_assembled;
	disk_answer_begin(&m->disk, m->site, &m->site->disks[DISK_PARTS]);
}

/* --- what lies elsewhere --- */

static void on_there(
	void *ctx, struct image_wanted *list, size_t n, const struct image_wanted *failed)
{
	struct making *m = ctx;
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; !failed && r == 0 && i < n; i++) {
		while (boot_part(m->of.profile, at) != list[i].ref)
			at++;
		r = image_wanted_take(&list[i], &m->fetched[at]);
	}
	if (!failed && r == 0) {
		make(m);
		return;
	}
	give_reason(m, failed ? failed->given.error : r,
		failed ? failed->given.sentence : strerror(-r));
	answer(m);
}

/* In their order; the kernel's head says whether it may be part of the image. */
static size_t list_elsewhere(const struct profile *p, struct image_wanted *list)
{
	const struct file_ref *part;
	size_t n = 0;

	for (size_t i = 0; (part = boot_part(p, i)); i++)
		if (part->upstream)
			list[n++] = (struct image_wanted){ .ref = part,
				.head = i == 0 ? PE_HEAD_MAX : 0 };
	return n;
}

static void fetch(struct making *m)
{
	static const struct image_gather_terms terms = { .limit_ms = WAIT_MS };
	struct image_wanted *list = calloc(m->n_parts, sizeof(*list));
	size_t n = list ? list_elsewhere(m->of.profile, list) : 0;
	int r = list ? 0 : -ENOMEM;

	if (n > 0)
		r = image_gather(m->site, list, n, &terms, on_there, m);
	else if (list)
		make(m);
	free(list);
	if (r < 0) {
		give_reason(m, r, strerror(-r));
		answer(m);
	}
}

/* --- for whom --- */

static int make_room(struct making *m)
{
	size_t n = m->of.profile->n_initrds + 1;

	m->fetched = calloc(n, sizeof(*m->fetched));
	if (!m->fetched)
		return -ENOMEM;
	for (; m->n_parts < n; m->n_parts++)
		m->fetched[m->n_parts].fd = -1;
	m->of.fetched = m->fetched;
	return 0;
}

/* YAML's block texts end in a newline. */
static struct span without_end(struct span line)
{
	while (line.n > 0 && strchr(" \n", line.p[line.n - 1]))
		line.n--;
	return line;
}

/* The machine's own text: the command line, or GRUB's configuration with it. */
static int render(struct making *m, const struct machine_vars *vars)
{
	const struct profile *p = m->of.profile;
	bool is_disk = m->of.family != FAMILY_STUB;
	struct template_error error;
	char reason[320];
	int r = is_disk
		? grub_cfg_disk(p, vars, &m->text, &error)
		: machine_vars_render(span_str(p->cmdline), vars, escape_cmdline, &m->text, &error);

	if (r == -EINVAL) {
		(void)snprintf(
			reason, sizeof(reason), "cmdline, line %u: %s", error.line, error.message);
		give_reason(m, -EBADMSG, reason);
	} else if (r < 0) {
		give_reason(m, r, strerror(-r));
	}
	m->of.text = is_disk ? text_span(&m->text) : without_end(text_span(&m->text));
	return r;
}

/* False: the answer is there already, with what is wrong. */
static bool begin(struct making *m, struct facts *facts)
{
	struct site *site = m->site;
	char installed_url[MACHINES_URL_MAX];
	const char *refused;
	struct answer answer;
	struct machine_vars vars;

	site_decide(site, facts, &answer);
	if (answer.kind != ANSWER_IMAGE) {
		give_reason(m, -ENOENT,
			facts->arch == ARCH_UNKNOWN
				? "its architecture is not known, since it has not asked by DHCP as firmware does"
				: answer.why);
		return false;
	}
	refused = machines_refuse(site, &answer);
	if (refused) {
		give_reason(m, -ENOMEM, refused);
		return false;
	}
	machines_installed_url(site, m->question, facts, &answer, installed_url);
	vars = machine_vars_of(facts, &answer, m->address, m->question->local,
		locate_base_url(site->cfg, facts->client, m->question->local));
	vars.installed_url = installed_url;
	vars.files = BOOT_DISK_FILES;
	m->of = (struct boot_parts){ .cfg = site->cfg,
		.files = site->now->files,
		.profile = answer.profile,
		.family = answer.family,
		.arch = answer.arch };
	if (render(m, &vars) < 0)
		return false;
	if (make_room(m) < 0) {
		give_reason(m, -ENOMEM, strerror(ENOMEM));
		return false;
	}
	return true;
}

void made_image_give(struct site *site, struct question *q, struct mac mac)
{
	struct facts facts;
	struct making *m;

	if (q->transport != TRANSPORT_HTTP) {
		given_error(&q->given, -ENOENT, "an image is loaded by HTTP");
		question_answer(q);
		return;
	}
	m = calloc(1, sizeof(*m));
	if (!m) {
		given_error(&q->given, -ENOMEM, "%s", "");
		question_answer(q);
		return;
	}
	*m = (struct making){
		.site = site, .question = q, .now = snapshot_ref(site->now), .mac = mac
	};
	m->address = site_facts_of_mac(site, mac, q->peer, &facts);
	/* Whoever asks for an image is firmware, whatever DHCP last heard of it. */
	facts.client = CLIENT_HTTP;
	facts.transport = TRANSPORT_HTTP;
	if (begin(m, &facts))
		fetch(m);
	else
		answer(m);
}
