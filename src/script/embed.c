#include "script/embed.h"

#include <stdlib.h>
#include <string.h>

static int by_path(const void *key, const void *item)
{
	const struct embedded *e = item;

	return strcmp(key, e->path);
}

const struct embedded *embedded_find(const char *path)
{
	return bsearch(path, embedded_set, embedded_count, sizeof(embedded_set[0]), by_path);
}
