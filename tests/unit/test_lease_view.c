/* core/lease_view.h: the contract's JSON, whatever a client called itself. */
#include "core/lease_view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define NOW 1000000000 /* 2001-09-09T01:46:40Z */

static struct network net = { .name = "br0" };
static struct pool pool = { { 0x0a000080u }, { 0x0a0000feu } };
static struct served served = {
	.cfg = &net, .subnet = { 0x0a000000u }, .prefix_len = 24, .pools = &pool, .n_pools = 1
};
static struct machine web1 = {
	.name = "web1", .has_mac = true, .mac = { { 2, 0, 0, 0, 0, 1 } }, .address = { 0x0a00000au }
};
static struct config cfg = { .machines = &web1, .n_machines = 1 };

static json_t *parse(const struct lease_view *v)
{
	struct text out = { 0 };
	json_error_t why;
	json_t *j;

	lease_view_json(v, &out);
	assert_false(out.failed);
	j = json_loads(text_str(&out), JSON_REJECT_DUPLICATES, &why);
	if (!j)
		fail_msg("%s: %s", why.text, text_str(&out));
	assert_int_equal(json_object_size(j), 8);
	text_free(&out);
	return j;
}

static void expect(json_t *j, const char *key, const char *value)
{
	const json_t *got = json_object_get(j, key);

	if (!got ||
		(value ? !json_is_string(got) || strcmp(json_string_value(got), value) != 0
		       : !json_is_null(got)))
		fail_msg("%s is %s, expected %s", key, got ? json_string_value(got) : "missing",
			value);
}

static void tells_a_lease(void **state)
{
	static const uint8_t id[] = { 1, 2, 0xff };
	const struct lease_client c = { .client_id = { id, sizeof(id) },
		.htype = 1,
		.hlen = 6,
		.chaddr = { 2, 0, 0, 0, 0, 1 } };
	struct lease_table *t;
	struct lease_view v;
	struct lease *l;
	json_t *j;

	(void)state;
	assert_int_equal(lease_table_new(&t), 0);
	assert_int_equal(lease_choose(t, &served, &c, NULL, (struct ip4){ 0 }, NOW, &l), 0);
	lease_view_of_lease(l, &cfg, NOW, &v);
	j = parse(&v);
	expect(j, "address", "10.0.0.128");
	expect(j, "state", "offered");
	expect(j, "expires", "2001-09-09T01:47:10Z");
	expect(j, "hostname", NULL);
	json_decref(j);
	lease_bind(t, l, SPAN_LIT("a\"\\\n\x1b\xff"), 3600, NOW);
	lease_view_of_lease(l, &cfg, NOW, &v);
	j = parse(&v);
	expect(j, "mac", "02:00:00:00:00:01");
	expect(j, "client_id", "01:02:ff");
	expect(j, "network", "br0");
	expect(j, "state", "bound");
	expect(j, "expires", "2001-09-09T02:46:40Z");
	expect(j, "hostname", "a\"\\\n\x1b\u00ff");
	expect(j, "machine", "web1");
	json_decref(j);
	lease_view_of_lease(l, &cfg, NOW + 3600, &v);
	assert_int_equal(v.state, LEASE_VIEW_FREE);
	lease_decline(t, l, NOW);
	lease_view_of_lease(l, &cfg, NOW, &v);
	j = parse(&v);
	expect(j, "state", "declined");
	expect(j, "mac", NULL);
	expect(j, "client_id", NULL);
	expect(j, "machine", NULL);
	json_decref(j);
	lease_release(t, l, NOW);
	lease_view_of_lease(l, &cfg, NOW, &v);
	assert_int_equal(v.state, LEASE_VIEW_FREE);
	lease_table_free(t);
}

static void tells_a_reservation(void **state)
{
	struct lease_view v;
	json_t *j;

	(void)state;
	lease_view_of_reservation(&web1, &served, &v);
	j = parse(&v);
	expect(j, "address", "10.0.0.10");
	expect(j, "mac", "02:00:00:00:00:01");
	expect(j, "network", "br0");
	expect(j, "state", "reserved");
	expect(j, "expires", NULL);
	expect(j, "machine", "web1");
	json_decref(j);
	lease_view_of_reservation(
		&(struct machine){ .name = "by-uuid", .has_uuid = true, .address = { 1 } }, NULL,
		&v);
	j = parse(&v);
	expect(j, "mac", NULL);
	expect(j, "network", NULL);
	json_decref(j);
}

static void names_come_back(void **state)
{
	enum lease_view_state got = LEASE_VIEW_FREE;

	(void)state;
	for (enum lease_view_state s = 0; s < LEASE_VIEW_STATE_COUNT; s++) {
		assert_int_equal(
			lease_view_state_parse(span_str(lease_view_state_name(s)), &got), 0);
		assert_int_equal(got, s);
	}
	assert_int_equal(lease_view_state_parse(SPAN_LIT("Bound"), &got), -EINVAL);
	assert_int_equal(lease_view_state_parse(SPAN_NONE, &got), -EINVAL);
}

static int index_machines(void **state)
{
	(void)state;
	return config_index_machines(&cfg);
}

static int free_index(void **state)
{
	(void)state;
	arena_free(&cfg.arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_a_lease),
		cmocka_unit_test(tells_a_reservation),
		cmocka_unit_test(names_come_back),
	};

	return cmocka_run_group_tests(tests, index_machines, free_index);
}
