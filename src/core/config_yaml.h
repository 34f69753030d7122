/* YAML text as a tree of values, each with its line and column.
 *
 * The one place that knows libfyaml.  The YAML understood is what a
 * configuration needs: one document of maps, lists and scalars.  Refused, with a
 * sentence each: anchors and aliases (a few lines of them can stand for billions
 * of values), tags, keys that are no scalars, control characters in a text,
 * nesting deeper than 32, more than a million values, files over 16 MiB.
 */
#pragma once

#include "core/config_load.h"

#define YAML_SIZE_MAX  ((size_t)16 << 20)
#define YAML_DEPTH_MAX 32u
#define YAML_NODES_MAX 1000000u

enum yaml_kind {
	YAML_SCALAR,
	YAML_NULL, /* no value at all, ~ or null */
	YAML_LIST,
	YAML_MAP,
};

struct yaml {
	enum yaml_kind kind;
	struct src_pos pos; /* of the value; a value that is not there has its key's */
	struct span text;   /* of a scalar: NUL-terminated, without control characters */
	/* of a map's entry: its key */
	struct span key; /* NUL-terminated */
	struct src_pos key_pos;
	/* of a list or map */
	struct yaml *first, *last;
	size_t n;
	struct yaml *next;    /* the next of the same list or map */
	struct yaml *pending; /* while building: the key that waits for its value */
};

/* The tree of source, in the arena; NULL for a file that holds nothing.  Reports
 * the first mistake of syntax, or all the keys that stand twice (which stay in
 * the tree).  0; -EINVAL: no tree, the error is in errs; -ENOMEM. */
int config_yaml_parse(struct span source, struct arena *a, struct config_errors *errs,
	struct yaml **ret_root) WARN_UNUSED;

/* The values of a list one after the other, or a single value as a list of one. */
const struct yaml *yaml_first(const struct yaml *v);
const struct yaml *yaml_after(const struct yaml *list, const struct yaml *v);
size_t yaml_count(const struct yaml *v);
/* The value of a map's key (the first one, where it stands twice), or NULL. */
const struct yaml *yaml_find(const struct yaml *map, const char *key);
