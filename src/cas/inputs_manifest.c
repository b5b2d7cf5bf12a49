/* The list of inputs as an object of the CAS, and its fingerprint. */
#include <string.h>

#include "base/base.h"
#include "cas/inputs_internal.h"
#include "sys/hash.h"

void inputs_manifest_entry(const struct input_file *f, char *hex, struct input *out)
{
	*out = (struct input){ .dst = str_of(f->dst), .size = f->stamp.size, .mode = f->mode,
			       .mtime_ns = f->stamp.mtime_ns };
	if (f->url) {
		out->url = str_of(f->src);
		return;
	}
	hash_to_hex(hex, f->sha256);
	out->sha256 = (struct str){ hex, SHA256_HEX_SIZE - 1 };
}

void inputs_fingerprint(const struct input_set *in, uint8_t *out)
{
	struct buf b = BUF_INIT;
	char hex[SHA256_HEX_SIZE];
	size_t dir = SIZE_MAX;

	for (size_t i = 0; i < in->files.n; i++) {
		const struct input_file *f = &in->files.p[i];
		int64_t mode = f->mode;

		if (f->url) {
			buf_add(&b, f->src, strlen(f->src) + 1);
		} else if (f->dir != dir) {
			dir = f->dir;
			buf_addch(&b, '\1');
			buf_add(&b, in->dirs.p[dir].abs, strlen(in->dirs.p[dir].abs) + 1);
		}
		buf_add(&b, f->name, strlen(f->name) + 1);
		buf_add(&b, f->dst, strlen(f->dst) + 1);
		buf_add(&b, &mode, sizeof(mode));
		buf_add(&b, &f->stamp, sizeof(f->stamp));
	}
	hash_mem(b.p, b.n, hex);
	hash_from_hex(out, hex);
	buf_release(&b);
}

int inputs_put_list(const struct input_set *in, struct inputs_store *s, struct err *err)
{
	struct buf text = BUF_INIT;
	char hex[SHA256_HEX_SIZE];
	struct input one;
	int ret;

	for (size_t i = 0; i < in->files.n; i++) {
		inputs_manifest_entry(&in->files.p[i], hex, &one);
		manifest_add_input(&text, &one);
	}
	ret = cas_put_bytes(s->cas, text.p, text.n, s->list, err);
	buf_release(&text);
	return ret < 0 ? -1 : 0;
}
