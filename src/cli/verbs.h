/* The verbs of the command line.  Each gets its own name in argv[0] and returns
 * the exit code: 0 well, 1 the work failed, 2 wrong usage. */
#pragma once

int verb_serve(int argc, char **argv);
int verb_boot(int argc, char **argv);
int verb_cert(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_image(int argc, char **argv);
int verb_events(int argc, char **argv);
int verb_lease(int argc, char **argv);
int verb_machine(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_lab(int argc, char **argv);
int verb_version(int argc, char **argv);
