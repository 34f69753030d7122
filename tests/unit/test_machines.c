/* What machines are told, against a store that fails when the test says so: nothing that was
 * answered for is undone, nothing that was refused stays. */
#include "app/machines.h"

#include "app/machine_change.h"
#include "core/config_load.h"
#include "core/machine_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a store, in place of edge/store.c, and questions without threads --- */

#define SENT_MAX 64u

static struct {
	struct sent {
		struct machine_state state;
		store_done done;
		void *ctx;
	} sent[SENT_MAX];
	size_t n;
	bool full, failing;
	struct machine_state disk; /* what was stored last */
} fake;

int store_put_machine(struct store *s, const struct machine_state *m, store_done done, void *ctx)
{
	(void)s;
	if (fake.full)
		return -EBUSY;
	assert_true(fake.n < SENT_MAX);
	fake.sent[fake.n++] = (struct sent){ *m, done, ctx };
	return 0;
}

void store_forget_machine(struct store *s, struct mac mac)
{
	(void)s;
	(void)mac;
}

void store_remember_form(struct store *s, const struct forms_record *r)
{
	(void)s;
	(void)r;
}

bool store_is_failing(const struct store *s)
{
	(void)s;
	return fake.failing;
}

static unsigned n_answered;

void question_answer(struct question *q)
{
	(void)q;
	n_answered++;
}

void given_free(struct given *g)
{
	text_free(&g->text);
	*g = (struct given){ .kind = GIVEN_ERROR };
}

void given_error(struct given *g, int error, const char *fmt, ...)
{
	(void)fmt;
	*g = (struct given){ .kind = GIVEN_ERROR, .error = error };
}

void given_text(struct given *g, struct text *text, const char *content_type)
{
	*g = (struct given){ .kind = GIVEN_TEXT, .text = *text, .content_type = content_type };
}

/* The first n that are on their way, in the order in which they went. */
static void commit(size_t n, int result)
{
	struct sent list[SENT_MAX];

	assert_true(n <= fake.n);
	memcpy(list, fake.sent, n * sizeof(list[0]));
	memmove(fake.sent, fake.sent + n, (fake.n - n) * sizeof(list[0]));
	fake.n -= n;
	for (size_t i = 0; i < n && result == 0; i++)
		fake.disk = list[i].state;
	for (size_t i = 0; i < n; i++)
		if (list[i].done)
			list[i].done(list[i].ctx, result);
}

static void commit_all(void)
{
	while (fake.n)
		commit(fake.n, 0);
}

/* --- a site --- */

static const struct mac web1 = { { 2, 0, 0, 0, 0, 1 } };
static const struct ip4 its_address = { 0x0a000005 };

static const char config_text[] =
	"networks: [{interface: sv0}, {subnet: 10.0.0.0/24}]\n"
	"profiles:\n"
	"  debian: {kernel: \"http://192.0.2.1/linux\", install: true}\n"
	"  rescue: {kernel: \"http://192.0.2.1/rescue\"}\n"
	"machines:\n"
	"  - {name: web1, mac: \"02:00:00:00:00:01\", address: 10.0.0.5, profile: debian}\n"
	"  - {name: dell, uuid: 4c4c4544-0000-2010-8020-a0c04f202020, profile: debian}\n";

static struct site site;
static struct served_set no_nets;
static struct config *cfg;
static FILE *log_file;

static int begin(void **state)
{
	struct config_errors errors = { 0 };

	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&site, 0, sizeof(site));
	n_answered = 0;
	assert_int_equal(config_load("test", span_str(config_text), &errors, &cfg), 0);
	config_errors_free(&errors);
	log_file = tmpfile();
	assert_non_null(log_file);
	assert_int_equal(site_open(&site), 0);
	assert_int_equal(log_new(fileno(log_file), false, &site.log), 0);
	site.cfg = cfg;
	site.nets = &no_nets;
	return 0;
}

static int end(void **state)
{
	(void)state;
	commit_all();
	site_close(&site);
	log_free(site.log);
	config_free(cfg);
	(void)fclose(log_file);
	return 0;
}

static bool log_says(const char *words)
{
	char buf[8192];
	ssize_t n = pread(fileno(log_file), buf, sizeof(buf) - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
	return strstr(buf, words) != NULL;
}

static struct facts its_facts(void)
{
	return (struct facts){
		.client = CLIENT_IPXE, .transport = TRANSPORT_HTTP, .has_mac = true, .mac = web1
	};
}

static const struct machine_state *now(void)
{
	return machine_table_find(site.machines, web1);
}

/* Asks for the script of what it is to boot; the answer is not finished yet. */
static void ask(struct question *q)
{
	char url[MACHINES_URL_MAX];
	struct facts f = its_facts();
	struct text text = { 0 };
	struct answer a;

	*q = (struct question){ .peer = its_address, .local = { 0x0a000001 } };
	site_decide(&site, &f, &a);
	machines_installed_url(&site, q, &f, &a, url);
	text_adds(&text, "#!ipxe\n");
	given_text(&q->given, &text, NULL);
	machines_given(&site, q, &f, &a);
}

static void phone_home(struct question *q, char *query, size_t n)
{
	struct machine_token_text t = machine_state_token_text(now());

	(void)snprintf(query, n, "token=%s", t.s);
	*q = (struct question){ .peer = its_address, .query = span_str(query) };
	machines_phoned_home(&site, q, web1);
	machines_answer(&site, q);
}

/* It has its installer. */
static void install(void)
{
	struct question q;

	ask(&q);
	machines_answer(&site, &q);
	commit_all();
	assert_int_equal(q.given.kind, GIVEN_TEXT);
	given_free(&q.given);
	assert_int_equal(now()->phase, MACHINE_INSTALLING);
}

static void on_ordered(void *ctx, int result)
{
	*(int *)ctx = result;
}

static void order(enum machine_event e, const char *profile, int *ret)
{
	*ret = 1;
	machines_order(&site, web1, e, profile, 0, on_ordered, ret);
}

/* --- what failed and what did not --- */

static void what_a_retry_was_told_stays(void **state)
{
	struct question first, second;
	char query[2][64];

	(void)state;
	install();
	phone_home(&first, query[0], sizeof(query[0]));
	phone_home(&second, query[1], sizeof(query[1]));
	assert_int_equal(fake.n, 2);
	commit(1, -ENOSPC);
	assert_int_equal(first.given.error, -ENOMEM);
	commit_all();
	assert_int_equal(second.given.kind, GIVEN_TEXT);
	given_free(&second.given);
	assert_int_equal(now()->phase, MACHINE_INSTALLED);
	assert_int_equal(fake.disk.phase, MACHINE_INSTALLED);
	assert_true(machine_table_is_settled(site.machines, web1));
}

static void what_two_were_refused_is_taken_back(void **state)
{
	struct question first, second;
	char query[2][64];

	(void)state;
	install();
	phone_home(&first, query[0], sizeof(query[0]));
	phone_home(&second, query[1], sizeof(query[1]));
	commit(1, -ENOSPC);
	commit(1, -ENOSPC);
	assert_int_equal(second.given.error, -ENOMEM);
	assert_int_equal(now()->phase, MACHINE_INSTALLING);
	phone_home(&first, query[0], sizeof(query[0]));
	commit_all();
	assert_int_equal(first.given.kind, GIVEN_TEXT);
	given_free(&first.given);
	assert_int_equal(fake.disk.phase, MACHINE_INSTALLED);
}

static void two_orders_that_fail_leave_neither(void **state)
{
	int hold, local;

	(void)state;
	order(MACHINE_ORDER_HOLD, NULL, &hold);
	order(MACHINE_ORDER_LOCAL, NULL, &local);
	commit(2, -ENOSPC);
	assert_int_equal(hold, -ENOSPC);
	assert_int_equal(local, -ENOSPC);
	assert_int_equal(now()->phase, MACHINE_NEW);
}

/* The second is refused at once, and says nothing of the first. */
static void an_order_that_is_refused_undoes_none_on_its_way(void **state)
{
	int hold, local;

	(void)state;
	order(MACHINE_ORDER_HOLD, NULL, &hold);
	fake.full = true;
	order(MACHINE_ORDER_LOCAL, NULL, &local);
	assert_int_equal(local, -EBUSY);
	assert_int_equal(now()->phase, MACHINE_HOLD);
	fake.full = false;
	commit_all();
	assert_int_equal(hold, 0);
	assert_int_equal(now()->phase, MACHINE_HOLD);
	order(MACHINE_ORDER_RESET, NULL, &local);
	fake.full = true;
	order(MACHINE_ORDER_LOCAL, NULL, &hold);
	fake.full = false;
	commit(1, -ENOSPC); /* what the one that was refused stood on */
	assert_int_equal(now()->phase, MACHINE_HOLD);
}

/* --- what happens while an answer is made --- */

static void an_order_while_an_answer_is_made_stays(void **state)
{
	struct question q;
	int hold;

	(void)state;
	ask(&q);
	order(MACHINE_ORDER_HOLD, NULL, &hold);
	commit_all();
	assert_int_equal(hold, 0);
	machines_answer(&site, &q);
	commit(fake.n, -ENOSPC);
	assert_int_equal(q.given.error, -ENOMEM);
	assert_int_equal(now()->phase, MACHINE_HOLD);
	commit_all();
	assert_int_equal(fake.disk.phase, MACHINE_HOLD);
}

static void what_others_did_is_not_told_as_its_doing(void **state)
{
	struct question q;
	int hold;

	(void)state;
	ask(&q);
	order(MACHINE_ORDER_HOLD, NULL, &hold);
	commit_all();
	machines_answer(&site, &q);
	commit_all();
	assert_int_equal(q.given.kind, GIVEN_TEXT);
	given_free(&q.given);
	assert_true(log_says("is hold"));
	assert_false(log_says("given the profile"));
}

static void no_answer_leaves_with_a_token_that_is_void(void **state)
{
	struct question q, next;
	int reset;

	(void)state;
	ask(&q);
	order(MACHINE_ORDER_RESET, NULL, &reset);
	ask(&next);
	machines_answer(&site, &next);
	machines_answer(&site, &q);
	commit_all();
	assert_int_equal(reset, 0);
	assert_int_equal(q.given.error, -ENOMEM);
	assert_int_equal(next.given.kind, GIVEN_TEXT);
	given_free(&next.given);
	assert_int_equal(n_answered, 2);
	assert_int_equal(now()->phase, MACHINE_INSTALLING);
}

/* It is not given once more for nothing, nor used up when its answer did not leave. */
static void an_order_is_used_up_when_its_answer_leaves(void **state)
{
	struct question q;
	struct facts f = its_facts();
	int boot;

	(void)state;
	order(MACHINE_ORDER_BOOT, "rescue", &boot);
	commit_all();
	ask(&q);
	assert_string_equal(now()->boot_once, "");
	machines_heard(&site, &f, (struct ip4){ 7 },
		true); /* goes to the disk with what is not told yet */
	commit(fake.n, 0);
	machines_answer(&site, &q);
	commit(fake.n, -ENOSPC);
	assert_int_equal(q.given.error, -ENOMEM);
	assert_string_equal(now()->boot_once, "rescue");
	commit_all();
	assert_string_equal(fake.disk.boot_once, "rescue");
	ask(&q);
	machines_answer(&site, &q);
	commit_all();
	assert_int_equal(q.given.kind, GIVEN_TEXT);
	given_free(&q.given);
	assert_string_equal(fake.disk.boot_once, "");
	assert_true(log_says("it was given the profile rescue"));
}

/* --- what the store had no room for --- */

static void what_had_no_room_is_written_later(void **state)
{
	struct facts f = its_facts();

	(void)state;
	fake.full = true;
	machines_heard(&site, &f, (struct ip4){ 7 }, true);
	machine_change_store_again(&site);
	assert_int_equal(fake.n, 0);
	fake.full = false;
	machine_change_store_again(&site);
	assert_int_equal(fake.n, 1);
	machine_change_store_again(&site);
	assert_int_equal(fake.n, 1);
	fake.failing = true;
	commit(1, -ENOSPC);
	machine_change_store_again(&site); /* not before it can */
	assert_int_equal(fake.n, 0);
	fake.failing = false;
	machine_change_store_again(&site);
	commit_all();
	assert_int_equal(fake.disk.address.v, 7);
	machine_change_store_again(&site);
	assert_int_equal(fake.n, 0);
}

/* --- whose state it is --- */

static const struct uuid dell = { { 0x4c, 0x4c, 0x45, 0x44, 0, 0, 0x20, 0x10, 0x80, 0x20, 0xa0,
	0xc0, 0x4f, 0x20, 0x20, 0x20 } };

static struct facts interface(uint8_t n, const struct uuid *uuid)
{
	struct facts f = its_facts();

	f.mac.b[5] = n;
	f.has_uuid = uuid != NULL;
	if (uuid)
		f.uuid = *uuid;
	return f;
}

static void hear(uint8_t n, const struct uuid *uuid)
{
	const struct facts f = interface(n, uuid);

	machines_heard(&site, &f, (struct ip4){ 7 }, true);
	commit_all();
}

static uint8_t key(uint8_t n, const struct uuid *uuid)
{
	const struct facts f = interface(n, uuid);

	return site_state_key(&site, &f).b[5];
}

static void a_uuid_by_which_it_is_known_stays(void **state)
{
	const struct uuid other = { { 1 } };
	int result;

	(void)state;
	hear(0x11, &dell);
	hear(0x11, &other); /* anybody can say that */
	assert_int_equal(key(0x22, &dell), 0x11);
	hear(0x33, &other);
	machines_order(
		&site, interface(0x33, NULL).mac, MACHINE_ORDER_HOLD, NULL, 0, on_ordered, &result);
	hear(0x33, &dell); /* nor is what is on hold, of a stranger, a known machine's */
	assert_int_equal(key(0x22, &dell), 0x11);
	machines_order(&site, interface(0x33, NULL).mac, MACHINE_ORDER_RESET, NULL, 0, on_ordered,
		&result);
	hear(0x33, &(struct uuid){ { 2 } }); /* another mainboard */
	assert_int_equal(
		machine_table_find(site.machines, interface(0x33, NULL).mac)->uuid.b[0], 2);
}

static void its_second_interface_is_known_without_its_uuid(void **state)
{
	(void)state;
	hear(0x11, &dell);
	assert_int_equal(key(0x22, NULL), 0x22);
	hear(0x22, &dell);
	assert_int_equal(key(0x22, NULL), 0x11);
	for (uint8_t n = 0x30; n < 0x50; n++)
		hear(n, &dell);
	assert_int_equal(machine_table_count_uuid(site.machines, dell), 8);
	assert_int_equal(key(0x22, NULL), 0x11);
	assert_int_equal(key(0x4f, &dell), 0x11);
}

/* What it runs asks by DHCP without a word of what its firmware said. */
static void what_firmware_said_is_known_after_a_restart(void **state)
{
	struct facts f = interface(0x11, &dell);

	(void)state;
	f.has_arch = true;
	f.arch_number = 7;
	f.arch = ARCH_X64;
	machines_heard(&site, &f, its_address, true);
	f = (struct facts){
		.client = CLIENT_DHCP, .has_mac = true, .mac = interface(0x11, NULL).mac
	};
	clients_remember(site.clients, &f, (struct ip4){ 0x0a000009 }, 1);
	(void)site_facts_of_mac(&site, f.mac, its_address, &f);
	assert_true(f.has_uuid && uuid_eq(f.uuid, dell));
	assert_int_equal(f.arch, ARCH_X64);
	assert_true(site_facts_of_address(&site, (struct ip4){ 0x0a000009 }, &f));
	assert_true(f.has_uuid && f.has_arch);
	assert_int_equal(f.client, CLIENT_DHCP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_a_retry_was_told_stays),
		TEST(what_two_were_refused_is_taken_back),
		TEST(two_orders_that_fail_leave_neither),
		TEST(an_order_that_is_refused_undoes_none_on_its_way),
		TEST(an_order_while_an_answer_is_made_stays),
		TEST(what_others_did_is_not_told_as_its_doing),
		TEST(no_answer_leaves_with_a_token_that_is_void),
		TEST(an_order_is_used_up_when_its_answer_leaves),
		TEST(what_had_no_room_is_written_later),
		TEST(a_uuid_by_which_it_is_known_stays),
		TEST(its_second_interface_is_known_without_its_uuid),
		TEST(what_firmware_said_is_known_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
