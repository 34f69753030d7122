/* base/drop.h: ids are unique and of one form, and never renumbered. */
#include "base/drop.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static bool has_id_form(const char *id)
{
	return strlen(id) == 4 && id[0] == 'D' && isdigit((unsigned char)id[1]) &&
		isdigit((unsigned char)id[2]) && isdigit((unsigned char)id[3]);
}

static void ids_are_unique_and_of_one_form(void **state)
{
	(void)state;
	for (int d = 0; d < DROP_COUNT; d++) {
		const char *id = drop_id((enum drop)d);

		if (!has_id_form(id))
			fail_msg("\"%s\" is not D and three digits", id);
		for (int other = 0; other < d; other++)
			if (strcmp(id, drop_id((enum drop)other)) == 0)
				fail_msg("%s stands for both \"%s\" and \"%s\"", id,
					drop_sentence((enum drop)other),
					drop_sentence((enum drop)d));
	}
}

static void every_sentence_is_one_line_of_its_own(void **state)
{
	(void)state;
	for (int d = 0; d < DROP_COUNT; d++) {
		const char *s = drop_sentence((enum drop)d);

		if (strlen(s) < 8)
			fail_msg("%s: \"%s\" says nothing", drop_id((enum drop)d), s);
		for (const char *c = s; *c; c++)
			if (*c < 32 || *c > 126)
				fail_msg("%s: octet 0x%02x", drop_id((enum drop)d),
					(unsigned char)*c);
		for (int other = 0; other < d; other++)
			if (strcmp(s, drop_sentence((enum drop)other)) == 0)
				fail_msg("%s and %s say the same", drop_id((enum drop)other),
					drop_id((enum drop)d));
	}
}

/* People grep logs for these: a change here breaks their alerts. */
static void published_ids_stay(void **state)
{
	(void)state;
	assert_string_equal(drop_id(DROP_NONE), "D000");
	assert_string_equal(drop_id(DROP_SHORT), "D001");
	assert_string_equal(drop_id(DROP_NO_MESSAGE_TYPE), "D005");
	assert_string_equal(drop_id(DROP_OPTION_PAST_END), "D017");
	assert_string_equal(drop_sentence(DROP_OPTION_PAST_END), "option runs past the end");
	assert_string_equal(drop_id(DROP_FRAME_SHORT), "D060");
	assert_string_equal(drop_id(DROP_TFTP_SHORT), "D200");
	assert_string_equal(drop_id(DROP_HTTP_LINE), "D300");
}

static void no_value_is_without_words(void **state)
{
	(void)state;
	assert_string_equal(drop_id(DROP_COUNT), "D999");
	assert_string_equal(drop_id((enum drop) - 1), "D999");
	assert_non_null(drop_sentence(DROP_COUNT));
	assert_non_null(drop_sentence((enum drop) - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_unique_and_of_one_form),
		cmocka_unit_test(every_sentence_is_one_line_of_its_own),
		cmocka_unit_test(published_ids_stay),
		cmocka_unit_test(no_value_is_without_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
