/* Ids and sentences of the reasons in base/drop.h. */
#include "base/drop.h"

static const struct {
	const char *id, *sentence;
} drops[DROP_COUNT] = {
#define X(name, id_, sentence_) [DROP_##name] = { id_, sentence_ },
	DROPS(X)
#undef X
};

const char *drop_id(enum drop d)
{
	return (unsigned)d < DROP_COUNT ? drops[d].id : "D999";
}

const char *drop_sentence(enum drop d)
{
	return (unsigned)d < DROP_COUNT ? drops[d].sentence : "a reason without a name";
}
