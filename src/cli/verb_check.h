/* bootsmith check. */
#pragma once

/* argv[0] is the verb. Returns the exit code: 0 good, 1 mistakes, 2 wrong usage. */
int verb_check(int argc, char **argv);
