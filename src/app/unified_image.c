/* Makes unified kernel images of profiles; see unified_image.h. */
#include "app/unified_image.h"

#include "app/boot_disk.h"
#include "app/boot_parts.h"
#include "app/efi_files.h"
#include "app/image_gather.h"
#include "app/machines.h"
#include "base/escape.h"
#include "core/grub_cfg.h"
#include "core/uki.h"
#include "edge/files.h"

#include <errno.h>
#include <stdlib.h>

/* Firmware gives up on a head that does not come for 5 s (EDK2's PcdHttpIoTimeout), and
 * shows no reason then.  What comes in pieces has 5 s for each. */
#define WAIT_MS 4000u

/* --- the parts --- */

/* While the parts are opened and looked into. */
struct assembly {
	const struct unified_image *image;
	struct http_parts *parts; /* files in the order of enum uki_file */
	bool is_partial;          /* one lies elsewhere, and is not here */
	struct efi_head stub;
	uint64_t *initrd_sizes;
	struct text *why;
};

static int open_part(struct assembly *a, struct root *root, size_t i)
{
	struct source_file *fetched = a->image->fetched;
	int r = boot_part_open(root, boot_part(a->image->profile, i), fetched ? &fetched[i] : NULL,
		&a->parts->files[UKI_KERNEL + i], a->why);

	if (r != -ENODATA)
		return r;
	a->is_partial = true;
	return 0;
}

static int open_parts(struct assembly *a, struct root *root)
{
	size_t n = a->image->profile->n_initrds;
	int r = open_part(a, root, 0);

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = open_part(a, root, i + 1);
		a->initrd_sizes[i] = (uint64_t)a->parts->files[UKI_INITRD + i].st.st_size;
	}
	return r;
}

/* Is the kernel one that firmware of the machine runs?  *ret: which it is for. */
static int check_kernel(struct assembly *a, enum arch *ret)
{
	const struct efi_wanted wanted = { .arch = a->image->arch };
	const struct source_file *f = &a->parts->files[UKI_KERNEL];
	struct text wrong = { 0 };
	struct efi_head head;
	int r = 0;

	if (f->fd < 0)
		*ret = a->image->arch;
	else if (efi_file_check(f->fd, &f->st, &wanted, &head, &wrong))
		*ret = pe_arch_of(head.pe.machine);
	else
		r = boot_part_refuse(a->image->cfg->http_root, &a->image->profile->kernel, text_str(&wrong), a->why);
	text_free(&wrong);
	return r;
}

static int open_stub(struct assembly *a, enum arch arch)
{
	const struct efi_wanted wanted = { .arch = arch };
	struct source_file *f = &a->parts->files[UKI_STUB];
	struct text wrong = { 0 };
	const char *path = a->image->cfg->loaders.file[FAMILY_STUB][arch].path;
	int r = a->image->files ? site_open_again(a->image->files->loader[FAMILY_STUB][arch], &f->fd, &f->st) :
				  site_loader_open(a->image->cfg, FAMILY_STUB, arch, &path, &f->fd, &f->st);

	if (r < 0) {
		text_addf(a->why, "there is no EFI stub for %s: install systemd-boot-efi, or name one with loaders: {stub: {%s: FILE}}",
			arch_name(arch), arch_name(arch));
		return -EBADMSG;
	}
	if (!efi_file_check(f->fd, &f->st, &wanted, &a->stub, &wrong))
		r = -EBADMSG;
	if (r < 0)
		text_addf(a->why, "%s %s", path, text_str(&wrong));
	text_free(&wrong);
	return r;
}

/* What the spec has from the target's own /etc/os-release: we know our name of it. */
static void add_os_release(const struct profile *p, struct text *out)
{
	text_adds(out, "ID=linux\nPRETTY_NAME=\"");
	escape_name(out, span_str(p->name));
	text_adds(out, "\"\n");
}

static int lay_out(struct assembly *a)
{
	struct text os_release = { 0 };
	const char *reason = NULL;
	int r = -ENOMEM;

	add_os_release(a->image->profile, &os_release);
	if (!os_release.failed) {
		const struct uki_parts parts = {
			.stub_head = { a->stub.octets, a->stub.n },
			.stub = &a->stub.pe,
			.kernel_size = (uint64_t)a->parts->files[UKI_KERNEL].st.st_size,
			.initrd_sizes = a->initrd_sizes,
			.n_initrds = a->image->profile->n_initrds,
			.os_release = text_span(&os_release),
			.cmdline = a->image->cmdline,
		};

		r = uki_layout(&parts, &a->parts->pieces, &reason);
	}
	if (r == -EINVAL) {
		text_adds(a->why, reason);
		r = -EBADMSG;
	}
	text_free(&os_release);
	return r;
}

static int assemble(struct assembly *a)
{
	struct root root = root_open(a->image->cfg->http_root);
	enum arch arch = ARCH_UNKNOWN;
	int r = open_parts(a, &root);

	if (r == 0)
		r = check_kernel(a, &arch);
	if (r == 0 && arch != ARCH_UNKNOWN) /* else nobody knows yet for what machines it is */
		r = open_stub(a, arch);
	if (r == 0)
		r = a->is_partial ? -ENODATA : lay_out(a);
	root_close(&root);
	return r;
}

int unified_image_assemble(const struct unified_image *image, struct http_parts **ret, struct text *why)
{
	size_t n = image->profile->n_initrds;
	struct assembly a = { .image = image, .initrd_sizes = calloc(n + 1, sizeof(uint64_t)), .why = why };
	int r = a.initrd_sizes ? http_parts_new(UKI_INITRD + n, &a.parts) : -ENOMEM;

	if (r == 0)
		r = assemble(&a);
	free(a.initrd_sizes);
	if (r < 0)
		http_parts_free(a.parts);
	else
		*ret = a.parts;
	return r;
}

/* --- one for the machine that asks --- */

/* An image on its way: what lies elsewhere is waited for until its size is known, and the
 * kernel's head; then all is opened and laid out by a worker, since a disk may be slow. */
struct making {
	uv_work_t work;
	struct site *site;
	struct question *question;
	struct snapshot *now; /* whose profile it is */
	struct unified_image image;
	enum loader_family family; /* FAMILY_STUB; else it is a disk (app/boot_disk.h) */
	struct mac mac;
	struct ip4 address; /* the machine's, as far as is known */
	struct text cmdline;
	struct source_file *fetched; /* of image */
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
	text_free(&m->cmdline);
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

static void making_run(uv_work_t *work)
{
	struct making *m = work->data;
	const struct unified_image *i = &m->image;
	const struct boot_disk disk = { i->cfg, i->files, i->profile, m->family, i->arch, text_span(&m->cmdline), i->fetched };

	if (m->family == FAMILY_STUB)
		m->error = unified_image_assemble(&m->image, &m->parts, &m->why);
	else
		m->error = boot_disk_assemble(&disk, &m->parts, &m->why);
}

static void answer(struct making *m)
{
	machines_answer(m->site, m->question);
	making_free(m);
}

static void making_done(uv_work_t *work, int status)
{
	struct making *m = work->data;

	(void)status;
	if (m->error == 0)
		given_parts(&m->question->given, m->parts);
	else
		give_reason(m, m->error, m->error == -EBADMSG ? text_str(&m->why) : strerror(-m->error));
	answer(m);
}

static void make(struct making *m)
{
	if (uv_queue_work(m->site->loop, &m->work, making_run, making_done) == 0)
		return;
	give_reason(m, -ENOMEM, strerror(ENOMEM));
	answer(m);
}

/* --- what lies elsewhere --- */

static void on_there(void *ctx, struct image_wanted *list, size_t n, const struct image_wanted *failed)
{
	struct making *m = ctx;
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; !failed && r == 0 && i < n; i++) {
		while (boot_part(m->image.profile, at) != list[i].ref)
			at++;
		r = image_wanted_take(&list[i], &m->fetched[at]);
	}
	if (!failed && r == 0) {
		make(m);
		return;
	}
	give_reason(m, failed ? failed->given.error : r, failed ? failed->given.sentence : strerror(-r));
	answer(m);
}

/* In their order; the kernel's head says whether it may be part of the image. */
static size_t list_elsewhere(const struct profile *p, struct image_wanted *list)
{
	const struct file_ref *part;
	size_t n = 0;

	for (size_t i = 0; (part = boot_part(p, i)); i++)
		if (part->upstream)
			list[n++] = (struct image_wanted){ .ref = part, .head = i == 0 ? PE_HEAD_MAX : 0 };
	return n;
}

static void fetch(struct making *m)
{
	static const struct image_gather_terms terms = { .limit_ms = WAIT_MS };
	struct image_wanted *list = calloc(m->n_parts, sizeof(*list));
	size_t n = list ? list_elsewhere(m->image.profile, list) : 0;
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
	size_t n = m->image.profile->n_initrds + 1;

	m->fetched = calloc(n, sizeof(*m->fetched));
	if (!m->fetched)
		return -ENOMEM;
	for (; m->n_parts < n; m->n_parts++)
		m->fetched[m->n_parts].fd = -1;
	m->image.fetched = m->fetched;
	return 0;
}

/* The machine's own command line; YAML's block texts end in a newline. */
static int render_cmdline(struct making *m, const struct machine_vars *vars)
{
	struct template_error error;
	char reason[320];
	int r = m->family == FAMILY_STUB ?
		machine_vars_render(span_str(m->image.profile->cmdline), vars, escape_cmdline, &m->cmdline, &error) :
		grub_cfg_disk(m->image.profile, vars, &m->cmdline, &error);

	if (r == -EINVAL) {
		(void)snprintf(reason, sizeof(reason), "cmdline, line %u: %s", error.line, error.message);
		give_reason(m, -EBADMSG, reason);
	} else if (r < 0) {
		give_reason(m, r, strerror(-r));
	}
	m->image.cmdline = text_span(&m->cmdline);
	while (m->image.cmdline.n > 0 && strchr(" \n", m->image.cmdline.p[m->image.cmdline.n - 1]))
		m->image.cmdline.n--;
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
		give_reason(m, -ENOENT, facts->arch == ARCH_UNKNOWN ?
			"its architecture is not known, since it has not asked by DHCP as firmware does" : answer.why);
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
	m->image = (struct unified_image){
		.cfg = site->cfg, .files = site->now->files, .profile = answer.profile, .arch = answer.arch };
	m->family = answer.family;
	if (render_cmdline(m, &vars) < 0)
		return false;
	if (make_room(m) < 0) {
		give_reason(m, -ENOMEM, strerror(ENOMEM));
		return false;
	}
	return true;
}

void unified_image_give(struct site *site, struct question *q, struct mac mac)
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
	*m = (struct making){ .work.data = m, .site = site, .question = q, .now = snapshot_ref(site->now), .mac = mac };
	m->address = site_facts_of_mac(site, mac, q->peer, &facts);
	/* Whoever asks for an image is firmware, whatever DHCP last heard of it. */
	facts.client = CLIENT_HTTP;
	facts.transport = TRANSPORT_HTTP;
	if (begin(m, &facts))
		fetch(m);
	else
		answer(m);
}
