/* What the files that read a configuration share; nobody else includes this.
 *
 * Each reader takes a value of the tree, checks it, and reports what is wrong at
 * its place; then it goes on, so that one run names all mistakes.  A reader that
 * reported gives false or NULL; the config is thrown away then, so callers need
 * not undo anything.  Texts that stay are copied to the config's arena.
 */
#pragma once

#include "base/suggestion.h"
#include "core/config_load.h"
#include "core/config_yaml.h"

struct loading {
	struct config *cfg;
	struct arena *arena;  /* the config's */
	struct arena scratch; /* gone when loading ends: the tree, and lists to compare */
	struct config_errors *errs;
	bool no_memory;
};

/* n zeroed octets in the config's or the scratch arena; NULL marks l. */
void *load_alloc(struct loading *l, size_t n) WARN_UNUSED;
void *load_scratch(struct loading *l, size_t n) WARN_UNUSED;

#define LOAD_ARRAY(l, type, n) ((type *)load_alloc((l), sizeof(type) * (n)))

/* config_values.c: single values. */

/* "expected <this>, found <that>": <this> names the form and gives an example. */
void load_unexpected(struct loading *l, const struct yaml *v, const char *expected);
/* The text of a scalar; empty ones are refused. */
bool load_scalar(struct loading *l, const struct yaml *v, const char *expected, struct span *ret);
/* As above, copied; NULL after an error. */
const char *load_text(struct loading *l, const struct yaml *v, const char *expected);
bool load_list(struct loading *l, const struct yaml *v, const char *expected);
bool load_bool(struct loading *l, const struct yaml *v, bool *ret);
bool load_port(struct loading *l, const struct yaml *v, uint16_t *ret);
/* 90s, 30m, 1h, 2d or plain seconds, from min to max seconds. */
bool load_duration(
	struct loading *l, const struct yaml *v, uint32_t min, uint32_t max, uint32_t *ret);
/* An address that a machine may have: not 0.x, not loopback, not a group's. */
bool load_address(struct loading *l, const struct yaml *v, struct ip4 *ret);
bool ip4_is_host(struct ip4 a);
/* An index into words, which stand in the message. */
bool load_word(
	struct loading *l, const struct yaml *v, const char *const *words, size_t n, unsigned *ret);
/* Has a path `..` as one of its steps? */
bool load_has_parent_step(struct span path);
/* An absolute path of this machine. */
const char *load_absolute_path(struct loading *l, const struct yaml *v);
/* Names of profiles and machines: [A-Za-z0-9._-]{1,63}; reported at pos. */
bool load_check_name(struct loading *l, struct span name, struct src_pos pos, const char *what);

/* config_maps.c: maps of known keys, and what must be the only one of its kind. */

typedef void load_fn(struct loading *l, const struct yaml *v, void *into);

struct load_key {
	const char *name;
	load_fn *read;
};

/* Calls the reader of each key; reports unknown keys, and v when it is no map.
 * An empty value is an empty map.  what: "a network". */
bool load_map(struct loading *l, const struct yaml *v, const char *what,
	const struct load_key *keys, size_t n, void *into);

/* One of the values that must differ from all others of its kind. */
struct unique {
	struct span key;   /* what is compared */
	const char *shown; /* its text for the message */
	struct src_pos pos;
};

struct unique_list {
	const char *what; /* "the MAC address" */
	struct unique *list;
	size_t n, cap;
};

bool unique_init(struct loading *l, struct unique_list *u, const char *what, size_t cap);
/* Key and text are copied. */
void unique_add(struct loading *l, struct unique_list *u, struct span key, const char *shown,
	struct src_pos pos);
void unique_report(struct loading *l, struct unique_list *u);

/* Ranges of addresses of which no two may overlap. */
struct range {
	struct ip4 first, last;
	struct src_pos pos;
};

/* what: "pool", "subnet".  Sorts the ranges. */
void load_report_overlaps(struct loading *l, struct range *ranges, size_t n, const char *what);

/* The sections. */
void load_networks(struct loading *l, const struct yaml *v);
/* Where options stand: a network has keys of its own for some of them. */
enum option_scope {
	OPTIONS_OF_NETWORK,
	OPTIONS_OF_PROFILE,
	OPTIONS_OF_MACHINE,
};

/* A map of DHCP options. */
void load_options(
	struct loading *l, const struct yaml *v, enum option_scope scope, struct option_list *ret);
/* A map of variables: texts, lists and maps of them. */
void load_vars(struct loading *l, const struct yaml *v, const struct var **ret_vars, size_t *ret_n);
/* config_templates.c */
void load_templates(struct loading *l, const struct yaml *v, void *unused);
/* A profile's `files`. */
void load_profile_files(struct loading *l, const struct yaml *v, struct profile *p);
/* config_profiles.c: a path below a root, or a URL; *ret has no path after an error. */
bool load_file_ref(struct loading *l, const struct yaml *v, struct file_ref *ret);
void load_profiles(struct loading *l, const struct yaml *v);
/* The profile that v names, or NULL after an error. */
const struct profile *load_profile_ref(struct loading *l, const struct yaml *v);
void load_https(struct loading *l, const struct yaml *v, void *unused);
void load_images(struct loading *l, const struct yaml *v, void *unused);
/* {url: URL, sha256: DIGEST}, or a URL of http or https alone: what we fetch and serve under
 * `name`.  False after an error. */
bool load_upstream(struct loading *l, const struct yaml *v, const char *name, struct file_ref *ret);
void load_boot_api(struct loading *l, const struct yaml *v, void *into);
void load_loaders(struct loading *l, const struct yaml *v, void *unused);
/* After networks and profiles. */
void load_machines(struct loading *l, const struct yaml *v);
/* After profiles. */
void load_rules(struct loading *l, const struct yaml *v);
