/* What kind of text a rendered file is, by its name: how values are made harmless
 * in it, and its media type.
 *
 *   .json .ign                       JSON: all values as the inside of a string
 *   .yaml .yml, user-data meta-data  YAML: own words that are the same text plain
 *   vendor-data network-config       and between double quotes, others are refused
 *   .xml .html .htm                  XML: all values as character references
 *   .ipxe                            an iPXE script: own words as they are
 *   all others                       lines (shell, kickstart, preseed, …): own words
 *                                    as they are, on one line
 * What a stranger chose becomes a JSON string, XML text, or a plain name.
 */
#pragma once

#include "core/template.h"

struct text_kind {
	const char *name; /* "YAML" */
	const char *content_type;
	template_escape stranger;
	template_write own; /* or NULL: as they are */
};

/* Of a file's name; total. */
const struct text_kind *text_kind_of(struct span name);
