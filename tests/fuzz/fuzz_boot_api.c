/* Any octets as a boot API's answer: no crash; what is taken has a kernel or a script,
 * is one line where a line is needed, and what is refused has a reason in plain words. */
#include "app/boot_api_answer.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			abort();
}

static void check_file(const struct file_ref *f)
{
	if (!f->path || !*f->path || f->path[0] == '/')
		abort();
	if (f->upstream)
		check_plain(f->upstream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[BOOT_API_WHY_MAX] = "";
	struct boot_api_answer a;
	int r = boot_api_answer_read((struct span){ data, size }, "http://api.example/x",
		"/srv/http", "machines/m", &a, why);

	if (r == -EBADMSG) {
		if (!why[0])
			abort();
		check_plain(why);
	} else if (r == 0) {
		if (!a.script)
			check_file(&a.profile.kernel);
		for (size_t i = 0; i < a.profile.n_initrds; i++)
			check_file(&a.profile.initrds[i]);
		for (const char *p = a.profile.cmdline; *p; p++)
			if ((uint8_t)*p < ' ')
				abort();
		boot_api_answer_free(&a);
	}
	return 0;
}
