/* iPXE scripts, rendered.  iPXE has no quoting: what a stranger chose goes
 * through escape_ipxe(), what is a path through escape_url_path(). */
#include "core/ipxe_script.h"

#include "base/escape.h"

#include <errno.h>
#include <stdio.h>

#define RETRY_S 10
#define WAIT_S  5 /* so soon an order is heard */

/* A file of the profile as iPXE fetches it: an absolute path of the server that
 * the script came from, or the URL as it is. */
static void add_file(const struct file_ref *f, struct text *out)
{
	if (f->is_url) {
		text_adds(out, f->path);
	} else {
		text_addc(out, '/');
		escape_url_path(out, span_str(f->path));
	}
}

static int render_cmdline(const struct profile *p, const struct machine_vars *vars,
	struct text *out, struct template_error *ret_error)
{
	size_t start = out->n;
	int r;

	if (p->cmdline[0] == '\0')
		return 0;
	text_addc(out, ' ');
	r = machine_vars_render(span_str(p->cmdline), vars, escape_ipxe, out, ret_error);
	/* YAML's block texts end in a newline, which would cut iPXE's line here. */
	for (size_t i = start; i < out->n; i++)
		if (out->p[i] == '\n' || out->p[i] == '\r')
			out->p[i] = ' ';
	return r;
}

/* A UEFI kernel finds its initrds by the initrd= names on its command line and
 * panics without them; on BIOS iPXE hands them over by itself and the names do
 * no harm.  Names of our own, because several initrds may be called alike. */
static int render_kernel(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	int r;

	text_adds(out, "kernel ");
	add_file(&p->kernel, out);
	for (size_t i = 0; i < p->n_initrds; i++)
		text_addf(out, " initrd=initrd%zu", i);
	r = render_cmdline(p, vars, out, ret_error);
	if (r < 0)
		return r;
	text_adds(out, " || goto failed\n");
	for (size_t i = 0; i < p->n_initrds; i++) {
		text_addf(out, "initrd --name initrd%zu ", i);
		add_file(&p->initrds[i], out);
		text_adds(out, " || goto failed\n");
	}
	text_adds(out, "boot || goto failed\n");
	return 0;
}

/* BIOS: the first disk.  UEFI: back to the firmware, whose next boot option it is; EDK2
 * takes an exit without a failure for a success, and opens its setup (seen). */
static void render_local(struct text *out)
{
	text_adds(out,
		"echo Booting from the local disk\n"
		"iseq ${platform} pcbios && sanboot --no-describe --drive 0x80 || exit 1\n");
}

/* A line of plain words on the screen: nothing that iPXE would expand or split at. */
static void add_echo(const char *text, struct text *out)
{
	escape_screen(out, span_str(text), "$#|&;");
	text_addc(out, '\n');
}

static void add_retry(const char *url, struct text *out)
{
	text_addf(out,
		"echo Trying again in %d seconds\n:retry\nsleep %d\nchain --replace %s || goto retry\n",
		RETRY_S, RETRY_S, url);
}

int ipxe_script_profile(const struct profile *p, const struct machine_vars *vars, struct text *out,
	struct template_error *ret_error)
{
	int r;

	text_addf(out, "#!ipxe\necho bootsmith: profile %s for %s\n", p->name,
		vars->facts->has_mac ? mac_str(vars->facts->mac).s : "this machine");
	if (p->message) {
		text_adds(out, "echo ");
		add_echo(p->message, out);
	}
	if (p->kind == PROFILE_LOCAL) {
		render_local(out);
		return out->failed ? -ENOMEM : 0;
	}
	r = render_kernel(p, vars, out, ret_error);
	if (r < 0)
		return r;
	/* Without imgfree a BIOS kernel would get what is left of this try as a part of its initrd. */
	text_addf(out,
		":failed\nimgfree ||\necho bootsmith: profile %s could not be loaded; the server's log says why\n",
		p->name);
	add_retry(vars->url, out);
	return out->failed ? -ENOMEM : 0;
}

void ipxe_script_retry(const char *reason, const char *url, struct text *out)
{
	text_adds(out, "#!ipxe\necho bootsmith: ");
	add_echo(reason, out);
	add_retry(url, out);
}

void ipxe_script_register(const struct machine_vars *vars, struct text *out)
{
	struct mac_text mac = mac_str(vars->facts->mac);

	text_addf(out,
		"#!ipxe\necho bootsmith: this machine is registered as %s and waits for: bootsmith machine boot %s PROFILE\n"
		":wait\nsleep %d\n"
		"chain --replace %s?uuid=${uuid}&serial=${serial:uristring}&asset=${asset:uristring}"
		"&manufacturer=${manufacturer:uristring}&product=${product:uristring} || goto wait\n",
		mac.s, mac.s, WAIT_S, vars->url);
}
