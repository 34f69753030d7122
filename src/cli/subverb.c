/* One word out of a list; see subverb.h. */
#include "cli/subverb.h"

#include "base/text.h"
#include "cli/options.h"

#include <string.h>

/* "list, show or release" */
static int say_names(const char *verb, const struct subverb *list, size_t n)
{
	struct text names = { 0 };

	for (size_t i = 0; i < n; i++)
		text_addf(&names, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", list[i].name);
	(void)options_wrong_usage(verb, "say %s", text_str(&names));
	text_free(&names);
	return 2;
}

int subverb_choose(
	const char *verb, const struct subverb *list, size_t n, int argc, char **argv, size_t *ret)
{
	size_t i = 0;

	while (optind < argc && i < n && strcmp(argv[optind], list[i].name) != 0)
		i++;
	if (optind >= argc || i == n)
		return say_names(verb, list, n);
	if (optind + 1 + list[i].words != argc)
		return list[i].wants
			? options_wrong_usage(verb, "%s takes %s", list[i].name, list[i].wants)
			: options_wrong_usage(verb, "\"%s\" is no option", argv[optind + 1]);
	*ret = i;
	return 0;
}
