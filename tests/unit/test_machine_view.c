/* core/machine_view.h: the contract's JSON, whatever a machine said of itself. */
#include "core/machine_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#define SEEN 1000000000 /* 2001-09-09T01:46:40Z */

static const struct profile profiles[] = {
	{ .name = "debian", .kind = PROFILE_KERNEL, .cmdline = "" },
	{ .name = "rescue", .kind = PROFILE_KERNEL, .cmdline = "" },
};
static const struct machine machines[] = {
	{ .name = "web1",
		.has_mac = true,
		.mac = { { 2, 0, 0, 0, 0, 1 } },
		.profile = &profiles[0] },
	{ .name = "by-uuid", .has_uuid = true, .uuid = { { 0x4c, 0x4c, 0x45, 0x44 } } },
};
static struct config cfg = { .profiles = profiles,
	.n_profiles = 2,
	.machines = machines,
	.n_machines = 2,
	.default_profile = &profiles[1] };

/* All fields, in the order of the contract. */
static const char *const fields[] = { "name", "mac", "state", "boot_once", "profile", "rule",
	"known", "first_seen", "last_seen", "given", "given_at", "client", "arch", "uuid",
	"address", "vendor_class", "hostname", "serial", "asset", "manufacturer", "product",
	"network" };

static json_t *view(const struct machine *m, const struct machine_state *s)
{
	struct text out = { 0 };
	json_error_t why;
	const char *key;
	json_t *j, *v;
	size_t i = 0;

	machine_view_json(&cfg, m, s, &out);
	assert_false(out.failed);
	assert_false(memchr(out.p, '\n', out.n)); /* one line of the socket's */
	j = json_loads(text_str(&out), JSON_REJECT_DUPLICATES, &why);
	if (!j)
		fail_msg("%s: %s", why.text, text_str(&out));
	json_object_foreach(j, key, v)
	{
		(void)v;
		assert_true(i < ARRAY_LEN(fields));
		assert_string_equal(key, fields[i++]);
	}
	assert_int_equal(i, ARRAY_LEN(fields));
	text_free(&out);
	return j;
}

/* What is not named is null; known is true or false. */
static void expect(json_t *j, const char *const (*want)[2], size_t n)
{
	const char *key;
	json_t *v;

	json_object_foreach(j, key, v)
	{
		const char *text = NULL, *got = json_string_value(v);

		for (size_t i = 0; i < n; i++)
			if (strcmp(want[i][0], key) == 0)
				text = want[i][1];
		if (json_is_boolean(v))
			got = json_is_true(v) ? "true" : "false";
		if (text ? !got || strcmp(got, text) != 0 : !json_is_null(v))
			fail_msg("%s is %s, expected %s", key, got ? got : "null",
				text ? text : "null");
	}
	json_decref(j);
}
#define EXPECT(j, ...)                                                                             \
	do {                                                                                       \
		static const char *const want[][2] = { __VA_ARGS__ };                              \
		expect(j, want, ARRAY_LEN(want));                                                  \
	} while (0)

static struct machine_state state(uint8_t last, enum machine_phase phase, const char *once)
{
	struct machine_state s = { .mac = { { 2, 0, 0, 0, 0, last } },
		.phase = phase,
		.first_seen_s = SEEN,
		.last_seen_s = SEEN + 1 };

	(void)snprintf(s.boot_once, sizeof(s.boot_once), "%s", once);
	return s;
}

static void tells_what_was_never_heard_of(void **unused)
{
	(void)unused;
	EXPECT(view(&machines[0], NULL), { "name", "web1" }, { "mac", "02:00:00:00:00:01" },
		{ "state", "new" }, { "profile", "debian" }, { "rule", "machine web1" },
		{ "known", "true" });
	EXPECT(view(&machines[1], NULL), { "name", "by-uuid" }, { "state", "new" },
		{ "profile", "rescue" }, { "rule", "default_profile" }, { "known", "true" },
		{ "uuid", "4c4c4544-0000-0000-0000-000000000000" });
}

static void tells_all_that_is_known(void **unused)
{
	struct machine_state s = state(1, MACHINE_INSTALLED, "");

	(void)unused;
	(void)snprintf(s.given, sizeof(s.given), "debian");
	s.given_s = SEEN + 2;
	s.has_client = s.has_arch = s.has_uuid = true;
	s.client = CLIENT_PXE;
	s.arch_number = 7;
	s.uuid.b[0] = 0xfe;
	s.address.v = 0x0a000001;
	for (enum machine_said i = 0; i < MACHINE_SAID_COUNT; i++)
		(void)machine_state_say(&s, i, span_str(machine_said_name(i)));
	EXPECT(view(&machines[0], &s), { "name", "web1" }, { "mac", "02:00:00:00:00:01" },
		{ "state", "installed" }, { "profile", "local" }, { "rule", "state installed" },
		{ "known", "true" }, { "first_seen", "2001-09-09T01:46:40Z" },
		{ "last_seen", "2001-09-09T01:46:41Z" }, { "given", "debian" },
		{ "given_at", "2001-09-09T01:46:42Z" }, { "client", "pxe" }, { "arch", "x64-uefi" },
		{ "uuid", "fe000000-0000-0000-0000-000000000000" }, { "address", "10.0.0.1" },
		{ "vendor_class", "vendor_class" }, { "hostname", "hostname" },
		{ "serial", "serial" }, { "asset", "asset" }, { "manufacturer", "manufacturer" },
		{ "product", "product" }, { "network", "network" });
}

static void tells_what_it_would_boot(void **unused)
{
	struct machine_state hold = state(1, MACHINE_HOLD, ""),
			     once = state(1, MACHINE_LOCAL, "rescue");
	struct machine_state stranger = state(9, MACHINE_NEW, "gone");

	(void)unused;
	hold.has_client = true;
	hold.client = CLIENT_HTTP;
	EXPECT(view(&machines[0], &hold), { "name", "web1" }, { "mac", "02:00:00:00:00:01" },
		{ "state", "hold" }, { "rule", "state hold" }, { "known", "true" },
		{ "client", "http" }, { "first_seen", "2001-09-09T01:46:40Z" },
		{ "last_seen", "2001-09-09T01:46:41Z" });
	EXPECT(view(&machines[0], &once), { "name", "web1" }, { "mac", "02:00:00:00:00:01" },
		{ "state", "local" }, { "boot_once", "rescue" }, { "profile", "rescue" },
		{ "rule", "boot once" }, { "known", "true" },
		{ "first_seen", "2001-09-09T01:46:40Z" }, { "last_seen", "2001-09-09T01:46:41Z" });
	EXPECT(view(NULL, &stranger), { "mac", "02:00:00:00:00:09" }, { "state", "new" },
		{ "boot_once", "gone" }, { "profile", "rescue" }, { "rule", "default_profile" },
		{ "known", "false" }, { "first_seen", "2001-09-09T01:46:40Z" },
		{ "last_seen", "2001-09-09T01:46:41Z" });
}

/* Whoever reads lists need not be able to end installations; and what was told once is told
 * again to the machine alone. */
static void keeps_its_secret(void **unused)
{
	struct machine_state s = state(1, MACHINE_INSTALLING, "");
	struct text out = { 0 };

	(void)unused;
	s.token_use = MACHINE_TOKEN_FRESH;
	memset(s.token, 0xab, sizeof(s.token));
	(void)snprintf(s.given, sizeof(s.given), "rescue");
	s.again_until_s = INT64_MAX;
	machine_view_json(&cfg, &machines[0], &s, &out);
	assert_null(strstr(text_str(&out), "abab"));
	assert_non_null(strstr(text_str(&out), "\"profile\": \"debian\""));
	text_free(&out);
}

static void hostile_words_stay_words(void **unused)
{
	static const char *const words[] = { "a\"b", "\\", "\x1b[2J\n\r\t", "\xff\xfe",
		"\xed\xa0\x80", "</script>", "\", \"state\": \"installed", "\xe2\x80\xa8" };
	struct machine_state s = state(1, MACHINE_NEW, "");

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		json_t *j;

		for (enum machine_said k = 0; k < MACHINE_SAID_COUNT; k++)
			(void)machine_state_say(&s, k, span_str(words[i]));
		j = view(&machines[0], &s);
		assert_string_equal(json_string_value(json_object_get(j, "state")), "new");
		for (enum machine_said k = 0; k < MACHINE_SAID_COUNT; k++)
			assert_true(json_is_string(json_object_get(j, machine_said_name(k))));
		json_decref(j);
	}
}

static int index_machines(void **unused)
{
	(void)unused;
	return config_index_machines(&cfg);
}

static int free_index(void **unused)
{
	(void)unused;
	arena_free(&cfg.arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_was_never_heard_of),
		cmocka_unit_test(tells_all_that_is_known),
		cmocka_unit_test(tells_what_it_would_boot),
		cmocka_unit_test(keeps_its_secret),
		cmocka_unit_test(hostile_words_stay_words),
	};

	return cmocka_run_group_tests(tests, index_machines, free_index);
}
