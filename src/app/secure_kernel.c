/* Judges kernels that come from elsewhere; see secure_kernel.h. */
#include "app/secure_kernel.h"

#include "app/disk_answer.h"
#include "app/efi_files.h"
#include "app/image_gather.h"
#include "core/url.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct judging {
	struct disk_answer disk;
	struct site *site;
	struct question *question;
	struct snapshot *now; /* whose kernel it is */
	const struct file_ref *kernel;
	struct facts who;        /* as far as it is needed: nothing that others own */
	struct image_wanted got; /* as it came */
	bool is_good;
	struct text why;
};

static void answer(struct judging *j)
{
	question_answer(j->question);
	given_free(&j->got.given);
	text_free(&j->why);
	snapshot_unref(j->now);
	free(j);
}

/* --- the verdict, by a worker: a disk may be slow --- */

static void judge(struct disk_answer *disk)
{
	struct judging *j = (struct judging *)disk;
	const struct given *g = &j->got.given;
	struct efi_wanted wanted = { .arch = ARCH_UNKNOWN, .is_signed = true };
	struct efi_head head;
	struct stat st = g->st;
	int fd = g->fd, r = 0;

	if (pe_machine_of(j->who.arch) != 0)
		wanted.arch = j->who.arch;
	if (g->kind == GIVEN_GROWING) {
		st.st_size = (off_t)growing_total(g->growing);
		r = growing_open(g->growing, &fd);
	}
	if (r < 0) {
		text_addf(&j->why, "cannot be read: %s", strerror(-r));
		return;
	}
	j->is_good = efi_file_check(fd, &st, &wanted, &head, &j->why);
	if (g->kind == GIVEN_GROWING)
		(void)close(fd);
}

static void give_judged(struct disk_answer *disk)
{
	struct judging *j = (struct judging *)disk;
	struct question *q = j->question;
	struct text reason = { 0 };

	if (j->is_good) {
		q->given = j->got.given;
		j->got.given = (struct given){ 0 };
		answer(j);
		return;
	}
	url_show(span_str(j->kernel->upstream), &reason);
	text_addf(&reason, " %s", text_str(&j->why));
	site_say_nothing_to_run(j->site, q->transport == TRANSPORT_HTTP ? "http" : "tftp", &j->who,
		q->peer, text_str(&reason));
	given_error(&q->given, -EBADMSG, "%s", text_str(&reason));
	text_free(&reason);
	answer(j);
}

/* --- until it is there --- */

static void on_there(
	void *ctx, struct image_wanted *list, size_t n, const struct image_wanted *failed)
{
	struct judging *j = ctx;

	(void)n;
	if (failed) {
		given_error(&j->question->given, failed->given.error, "%s", failed->given.sentence);
		answer(j);
		return;
	}
	j->got = list[0];
	list[0].given = (struct given){ 0 };
	j->disk.read = judge;
	j->disk.give = give_judged;
	disk_answer_begin(&j->disk, j->site, &j->site->disks[DISK_PARTS]);
}

void secure_kernel_give(struct site *site, struct question *q, const struct file_ref *kernel)
{
	const struct image_wanted wanted = { .ref = kernel, .head = PE_HEAD_MAX };
	/* TFTP must know the end before it can begin. */
	const struct image_gather_terms terms = { .wants_all = q->transport != TRANSPORT_HTTP };
	struct judging *j = calloc(1, sizeof(*j));
	struct facts who;

	if (!j) {
		given_error(&q->given, -ENOMEM, "%s", "");
		question_answer(q);
		return;
	}
	*j = (struct judging){
		.site = site, .question = q, .now = snapshot_ref(site->now), .kernel = kernel
	};
	(void)site_facts_of_address(site, q->peer, &who);
	j->who = (struct facts){ .has_mac = who.has_mac,
		.mac = who.mac,
		.has_uuid = who.has_uuid,
		.uuid = who.uuid,
		.arch = who.arch };
	if (image_gather(site, &wanted, 1, &terms, on_there, j) < 0) {
		given_error(&q->given, -ENOMEM, "%s", "");
		answer(j);
	}
}
