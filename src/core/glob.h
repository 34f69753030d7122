/* Texts with * ? [set] [!set] and \: how a rule names many values at once. */
#pragma once

#include "base/bytes.h"

/* True when the whole of text fits pattern.  '*' takes any octets, none too; '?'
 * one; [a-z_] one of a set, [!a-z] one not of it (a ']' that comes first is a
 * member); '\' takes the next octet for itself.  An unclosed '[' is a plain '['.
 * nocase: ASCII letters in either case.  No exponential backtracking: time
 * grows with the length of the text times that of the pattern. */
bool glob_match(struct span pattern, struct span text, bool nocase);
/* True when s holds an octet that is more than itself in a pattern. */
bool glob_has_magic(struct span s);
