/* What a text that is rendered for one machine may say of it: {{name}} {{mac}}
 * {{address}} {{uuid}} {{arch}} {{hostname}} {{server}} {{http}} {{installed_url}} {{vars.X}}.
 *
 * The same names in scripts, command lines and templates, for every loader; how
 * a value is made harmless is the loader's affair and comes in as a function.
 * vars are the machine's own, and of those that it has not, its profile's.
 */
#pragma once

#include "core/locate.h"
#include "core/template.h"

struct machine_vars {
	const struct facts *facts;
	const struct machine *machine; /* or NULL */
	const struct profile *profile; /* whose vars it has where it has none of its own; or NULL */
	struct ip4 address;            /* 0: unknown */
	struct ip4 server;
	struct base_url base;
	const char *installed_url; /* by which it phones home; "": it is not being installed */
	const char *url;           /* of this text: what a failed boot asks for again */
	const char *
		files; /* what GRUB and PXELINUX load: the directory of names that locate.h gives kernel and initrds */
};

/* Of a machine for which this was decided, and of the question that a text answers: asked of
 * which address of ours, by a client that is told which URLs.  The rest is the text's own. */
struct machine_vars machine_vars_of(const struct facts *f, const struct answer *a,
	struct ip4 address, struct ip4 server, struct base_url base);

/* Appends source with its {{variables}} to out: a script or a command line, in
 * which the administrator's own words stand as they are, and no partials.
 * -EINVAL with *ret_error set: it cannot be rendered for this machine; -ENOMEM. */
int machine_vars_render(struct span source, const struct machine_vars *vars, template_escape escape,
	struct text *out, struct template_error *ret_error) WARN_UNUSED;
/* The same for any kind of text. */
int machine_vars_render_as(struct span source, const struct machine_vars *vars,
	const struct template_sink *sink, struct text *out,
	struct template_error *ret_error) WARN_UNUSED;

/* Could this script or command line be rendered for some machine?  Whether a machine
 * has a vars.X only its own rendering tells.  -EINVAL with *ret_error set. */
int machine_vars_check(struct span source, struct template_error *ret_error) WARN_UNUSED;
/* The same for any kind of text; with a configuration, a vars.X that neither a
 * machine nor a profile of it has is a mistake.  cfg may be NULL. */
int machine_vars_check_as(struct span source, const struct config *cfg,
	const struct template_sink *sink, struct template_error *ret_error) WARN_UNUSED;
