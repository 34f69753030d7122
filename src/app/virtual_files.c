/* Virtual names, for whoever asks; see virtual_files.h. */
#include "app/virtual_files.h"

#include "app/boot_text.h"
#include "app/brought_file.h"
#include "app/image_cache.h"
#include "app/loader_text.h"
#include "app/machine_files.h"
#include "app/machines.h"
#include "app/made_image.h"
#include "app/secure_kernel.h"

#include <errno.h>
#include <stdio.h>

static void give_opened(struct question *q, int r, int fd, const struct stat *st)
{
	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		given_error(&q->given, r, "%s", "");
	else
		given_file(&q->given, fd, st);
}

static void give_root_file(struct site *site, struct question *q, struct span path)
{
	struct stat st;
	int fd = -1, r = brought_file_open(site, q, site_root(q->transport), path, &fd, &st);

	give_opened(q, r, fd, &st);
}

/* What a profile, or the boot API, names below the HTTP root: by TFTP, too. */
static void give_web_file(struct site *site, struct question *q, const struct file_ref *ref)
{
	struct stat st;
	int fd = -1, r = brought_file_open(site, q, DISK_HTTP_ROOT, span_str(ref->path), &fd, &st);

	give_opened(q, r, fd, &st);
}

/* --- machines/WHO/FILE --- */

/* True: the answer comes later. */
static bool give_machine_file(struct site *site, struct question *q, struct virtual_name *name)
{
	const struct machine *m = config_find_machine_named(site->cfg, name->who);
	const struct file_ref *of_api;
	bool is_private;

	if (m) { /* it may be called like a MAC */
		name->has_mac = m->has_mac;
		name->mac = m->mac;
	}
	if (name->has_mac &&
		(span_eq(name->file, SPAN_LIT(MACHINE_IMAGE)) ||
			span_eq(name->file, SPAN_LIT(MACHINE_DISK)))) {
		made_image_give(site, q, name->mac);
		return true;
	}
	of_api = name->has_mac ? boot_api_file(site->api, name->mac, name->file, &is_private)
			       : NULL;
	if (of_api && is_private && !machine_files_may_have(site, q, name))
		return false;
	if (of_api && of_api->upstream) {
		image_cache_answer(site->images, q, of_api);
		return true;
	}
	if (of_api)
		give_web_file(site, q, of_api);
	else if (name->has_mac && span_eq(name->file, SPAN_LIT(MACHINE_SCRIPT)))
		boot_text_of_machine(site, q, name->mac);
	else if (span_eq(name->file, SPAN_LIT(MACHINE_LOCAL_DISK)))
		given_error(&q->given, -ENOENT, "this machine boots its own disk");
	else if (name->has_mac && span_eq(name->file, SPAN_LIT(MACHINE_PHONE_HOME)))
		machines_phoned_home(site, q, name->mac);
	else
		machine_files_give(site, q, name);
	return false;
}

/* --- profiles/NAME/FILE --- */

/* True: the answer comes later. */
static bool give_profile_file(
	struct site *site, struct question *q, const struct virtual_name *name)
{
	bool is_kernel = name->ref == &name->profile->kernel;

	if (name->ref->upstream && name->profile->secure_boot && is_kernel)
		secure_kernel_give(site, q, name->ref);
	else if (name->ref->upstream)
		image_cache_answer(site->images, q, name->ref);
	else if (!name->ref->is_url)
		give_web_file(site, q, name->ref);
	return name->ref->upstream != NULL;
}

/* --- what loaders look for beside themselves --- */

/* In the directory that a path is in. */
static void give_beside_bootfile(
	struct site *site, struct question *q, const char *bootfile, struct span name)
{
	struct text path = { 0 };

	text_add(&path,
		(struct span){ (const uint8_t *)bootfile,
			(size_t)(locate_file_name(bootfile) - bootfile) });
	text_add(&path, name);
	if (path.failed)
		given_error(&q->given, -ENOMEM, "%s", "");
	else
		give_root_file(site, q, text_span(&path));
	text_free(&path);
}

/* Of our own loaders, the directory on this machine: there stand what a distribution
 * ships with its shim.  The name is one step, of known forms (core/locate.c). */
static void give_beside_loader(
	struct site *site, struct question *q, const struct answer *a, struct span name)
{
	const struct loader_file *l = &site->cfg->loaders.file[a->family][a->arch];
	char path[4096];
	struct stat st;
	size_t n;
	int fd = -1, r;

	site_loader_path(site->cfg, l->path, path, sizeof(path));
	n = (size_t)(locate_file_name(path) - path);
	(void)snprintf(path + n, sizeof(path) - n, "%.*s", (int)name.n, (const char *)name.p);
	r = brought_file_open(site, q, DISK_LOADERS, span_str(path), &fd, &st);
	give_opened(q, r, fd, &st);
}

static bool is_second_stage(const struct answer *a, struct span name)
{
	return a->kind == ANSWER_LOADER && a->family == FAMILY_SHIM &&
		span_has_prefix(name, SPAN_LIT("grub"));
}

static bool is_script_of_ipxe(const struct answer *a, struct span name)
{
	return span_eq(name, SPAN_LIT("autoexec.ipxe")) &&
		(a->kind == ANSWER_SCRIPT ||
			(a->kind == ANSWER_LOADER && a->family == FAMILY_IPXE));
}

static void give_beside(struct site *site, struct question *q, const struct virtual_name *name)
{
	struct answer a = { .kind = ANSWER_ADDRESS };
	struct facts facts;
	struct stat st;
	int fd = -1, r;

	if (site_facts_of_address(site, q->peer, &facts))
		site_decide(site, &facts, &a);
	if (is_second_stage(&a, name->file)) {
		r = site_open_again(site->now->files->loader[FAMILY_GRUB][a.arch], &fd, &st);
		give_opened(q, r, fd, &st);
	} else if (is_script_of_ipxe(&a, name->file) && facts.has_mac) {
		boot_text_of_machine(site, q, facts.mac);
	} else if (a.kind == ANSWER_LOADER) {
		give_beside_loader(site, q, &a, name->file);
	} else if (a.kind == ANSWER_BOOTFILE && !a.profile->bootfile.is_url) {
		give_beside_bootfile(site, q, a.profile->bootfile.path, name->file);
	} else {
		give_root_file(site, q, q->path);
	}
}

void virtual_files_answer(struct site *site, struct question *q)
{
	struct virtual_name name;

	locate_path(site->cfg, q->path, &name);
	switch (name.kind) {
	case VIRTUAL_MACHINE_FILE:
		if (give_machine_file(site, q, &name))
			return;
		break;
	case VIRTUAL_PROFILE_FILE:
		if (give_profile_file(site, q, &name))
			return;
		break;
	case VIRTUAL_SITE_SCRIPT:
		boot_text_of_site(site, q);
		break;
	case VIRTUAL_BESIDE:
		give_beside(site, q, &name);
		break;
	case VIRTUAL_GRUB_CFG:
	case VIRTUAL_PXELINUX_CFG:
		loader_text_give(site, q, &name);
		break;
	case VIRTUAL_NONE: /* these three: another configuration came in force meanwhile */
	case VIRTUAL_LOADER:
	case VIRTUAL_NAMED_FILE:
		give_root_file(site, q, q->path);
		break;
	case VIRTUAL_MISSING:
		break;
	}
	if (q->given.kind != GIVEN_LATER)
		machines_answer(site, q);
}

void virtual_files_told(
	struct site *site, struct question *q, struct mac mac, const struct boot_api_word *word)
{
	struct virtual_name name;

	locate_path(site->cfg, q->path, &name);
	if (name.kind == VIRTUAL_GRUB_CFG || name.kind == VIRTUAL_PXELINUX_CFG)
		loader_text_told(site, q, &name, mac, word);
	else
		boot_text_told(site, q, mac, word);
}
