/* Any bytes as a shell line and a value. */
#include "fuzz.h"

#include "base/base.h"
#include "base/buf.h"
#include "model/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str names[] = { { "v", 1 }, { "w", 1 } };
	const struct columns columns = { names, 2 };
	const uint8_t *cut = memchr(data, 0, size);
	size_t n = cut ? (size_t)(cut - data) : size;
	struct str text = { (const char *)data, n };
	struct str row[] = { { (const char *)data + n, size - n }, { "x", 1 } };
	struct buf plain = BUF_INIT, quoted = BUF_INIT;

	for (int kind = TEMPLATE_TEXT; kind <= TEMPLATE_SHELL; kind++) {
		struct err err = ERR_INIT;
		struct template t;

		if (template_compile(&t, text, (enum template_kind)kind, &columns, &err) < 0) {
			MUST(err.code == ERR_USAGE && err.text[0]);
			continue;
		}
		template_expand(&t, row, kind == TEMPLATE_TEXT ? &plain : &quoted);
		template_release(&t);
	}
	MUST(!quoted.n || quoted.n >= plain.n); /* quoting only adds */
	buf_release(&plain);
	buf_release(&quoted);
	return 0;
}
