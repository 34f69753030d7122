/* Any octets as the name of a client and as a command line, in a grub.cfg and in
 * PXELINUX's configuration: no crash, and neither changes the shape of the text. */
#include "core/grub_cfg.h"
#include "core/pxelinux_cfg.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*render)(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error);

/* Lines that are there whatever the values are, and no control character but the ends of them and tabs. */
static size_t count_lines(const struct text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		uint8_t c = (uint8_t)t->p[i];

		n += c == '\n';
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			abort();
	}
	return n;
}

/* In GRUB's quotes nothing is special but the quote. */
static void check_quotes(const struct text *t)
{
	bool quoted = false;

	for (size_t i = 0; i < t->n; i++) {
		if (t->p[i] == '\n' && quoted)
			abort();
		if (t->p[i] == '\'')
			quoted = !quoted;
		else if (t->p[i] == '\\' && !quoted)
			i++;
	}
	if (quoted)
		abort();
}

static void any_values(
	render f, const char *cmdline, struct span hostname, size_t lines, bool has_quotes)
{
	static const struct file_ref initrd = { .path = "initrd.gz" };
	const struct facts facts = { .client = CLIENT_PXE,
		.transport = TRANSPORT_TFTP,
		.has_mac = true,
		.hostname = hostname };
	const struct machine_vars vars = {
		.facts = &facts, .server = { 1 }, .url = "(tftp,10.0.0.1)/grub.cfg"
	};
	const struct profile p = { .name = "p",
		.kind = PROFILE_KERNEL,
		.kernel = { .path = "linux" },
		.initrds = &initrd,
		.n_initrds = 1,
		.cmdline = cmdline };
	struct template_error error = { 0 };
	struct text out = { 0 };
	int r = f(&p, &vars, &out, &error);

	if (r == 0) {
		if (count_lines(&out) != lines)
			abort();
		if (has_quotes)
			check_quotes(&out);
	} else if (r != -EINVAL || error.line < 1 || error.message[0] == '\0') {
		abort();
	}
	text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *cmdline = malloc(size + 2);

	if (!cmdline)
		return 0;
	cmdline[0] = 'x'; /* an empty one has no line */
	memcpy(cmdline + 1, data, size);
	cmdline[size + 1] = '\0';
	any_values(grub_cfg_profile, cmdline, SPAN_LIT("pc7"), 19, true);
	any_values(pxelinux_cfg_profile, cmdline, SPAN_LIT("pc7"), 11, false);
	free(cmdline);
	any_values(grub_cfg_profile, "a={{hostname}} b={{{hostname}}}", (struct span){ data, size },
		19, true);
	any_values(pxelinux_cfg_profile, "a={{hostname}} b={{{hostname}}}",
		(struct span){ data, size }, 11, false);
	return 0;
}
