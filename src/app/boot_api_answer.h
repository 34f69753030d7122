/* What a boot API says of a machine, as a profile.
 *
 * The form is Pixiecore's (its README.api.md): kernel, initrd, cmdline, message, or
 * ipxe-script.  URLs may be paths of the API's own server; in the command line,
 * {{ URL "…" }} stands for one, as does {"url": "…"} in its older form as an object.
 * As with Pixiecore, machines find what is behind them here: firmware may have no
 * TLS and no way out of its network.  Asks nobody and serves nothing.
 */
#pragma once

#include "core/config.h"

struct boot_api_answer {
	struct arena arena;
	struct profile profile; /* a kernel, unless there is a script */
	const char *script;     /* an iPXE script, as it is; or NULL */
	struct file_ref
		*urls; /* of the command line, but for files below http.root: PREFIX/url0, … */
	size_t n_urls;
};

#define BOOT_API_WHY_MAX 200

/* api: the URL that the API was asked by; http_root: where file:// URLs may lead, since
 * nothing outside of it is served; prefix: where machines find files, "machines/MAC".  0, and the answer is freed by boot_api_answer_free();
 * -EBADMSG with a clause that says why it is no answer; -ENOMEM. */
int boot_api_answer_read(struct span json, const char *api, const char *http_root,
	const char *prefix, struct boot_api_answer *ret,
	char ret_why[static BOOT_API_WHY_MAX]) WARN_UNUSED;
void boot_api_answer_free(struct boot_api_answer *a);

/* What a machine finds as PREFIX/part ("kernel", "initrd0", "url0"), or NULL.  Without an upstream
 * it is a file below http.root, which iPXE asks for by its own name.  *ret_private: it is one of
 * the command line, which the system reads once it runs: it may hold passwords and keys. */
const struct file_ref *boot_api_answer_file(
	const struct boot_api_answer *a, struct span part, bool *ret_private);
