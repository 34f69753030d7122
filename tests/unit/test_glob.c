/* Globs: a table of patterns, and one that would take for ever with backtracking. */
#include "core/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
	const char *pattern, *text;
	bool nocase, fits;
} vectors[] = {
	{ "", "", false, true },
	{ "", "a", false, false },
	{ "a", "", false, false },
	{ "abc", "abc", false, true },
	{ "abc", "abcd", false, false },
	{ "abc", "ABC", false, false },
	{ "abc", "ABC", true, true },
	{ "ABC", "abc", true, true },
	{ "*", "", false, true },
	{ "*", "anything", false, true },
	{ "**", "x", false, true },
	{ "a*", "a", false, true },
	{ "a*c", "abbbc", false, true },
	{ "a*c", "abbbd", false, false },
	{ "*b*", "abc", false, true },
	{ "*ab", "aab", false, true },
	{ "*a*b*c", "xaxbxc", false, true },
	{ "?", "", false, false },
	{ "?", "x", false, true },
	{ "a?c", "abc", false, true },
	{ "52:54:00:*", "52:54:00:12:34:56", false, true },
	{ "[abc]", "b", false, true },
	{ "[abc]", "d", false, false },
	{ "[a-c]x", "bx", false, true },
	{ "[a-c]", "B", true, true },
	{ "[A-C]", "b", true, true },
	{ "[A-C]", "b", false, false },
	{ "[!a-c]", "d", false, true },
	{ "[!a-c]", "a", false, false },
	{ "[!a-c]", "A", true, false },
	{ "[!a]", "", false, false },
	{ "[]a]", "]", false, true },
	{ "[!]a]", "]", false, false },
	{ "[!]a]", "b", false, true },
	{ "[a-]", "-", false, true },
	{ "[a\\]b]", "]", false, true },
	{ "[\\a-c]", "b", false, true },
	{ "[a", "[a", false, true },
	{ "[a", "a", false, false },
	{ "[", "[", false, true },
	{ "[!", "[!", false, true },
	{ "x[a\\", "x[a\\", false, true },
	{ "\\*", "*", false, true },
	{ "\\*", "x", false, false },
	{ "\\", "\\", false, true },
	{ "a\\", "a\\", false, true },
	{ "a\\", "ab", false, false },
	{ "\\A", "a", true, true },
	{ "*[0-9]", "web12", false, true },
	{ "web[0-9]*", "web1.lab", false, true },
	{ "*\\?", "why?", false, true },
};

static void matches_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		if (glob_match(span_str(vectors[i].pattern), span_str(vectors[i].text),
			    vectors[i].nocase) != vectors[i].fits)
			fail_msg("`%s` on `%s`: expected %d", vectors[i].pattern, vectors[i].text,
				vectors[i].fits);
}

static void takes_any_octets(void **state)
{
	static const uint8_t text[] = { 'a', 0, 0xff, 'b' };

	(void)state;
	assert_true(glob_match(SPAN_LIT("a??b"), (struct span){ text, sizeof(text) }, true));
	assert_true(glob_match(SPAN_LIT("a*b"), (struct span){ text, sizeof(text) }, false));
}

static void is_not_exponential(void **state)
{
	uint8_t text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_false(glob_match(SPAN_LIT("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab"),
		(struct span){ text, sizeof(text) }, false));
}

static void knows_magic(void **state)
{
	(void)state;
	assert_true(glob_has_magic(SPAN_LIT("a*")));
	assert_true(glob_has_magic(SPAN_LIT("?")));
	assert_true(glob_has_magic(SPAN_LIT("[a]")));
	assert_true(glob_has_magic(SPAN_LIT("\\a")));
	assert_false(glob_has_magic(SPAN_LIT("web1.lab")));
	assert_false(glob_has_magic(SPAN_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_as_the_table_says),
		cmocka_unit_test(takes_any_octets),
		cmocka_unit_test(is_not_exponential),
		cmocka_unit_test(knows_magic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
