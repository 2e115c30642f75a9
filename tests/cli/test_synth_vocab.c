/* cli/synth_vocab - every token of a synthetic vocabulary is another text. */
#include "harness.h"

#include "cli/synth_vocab.h"

static int compare_views(const void *a, const void *b)
{
    const StringView *x = a, *y = b;
    size_t n = x->n_bytes < y->n_bytes ? x->n_bytes : y->n_bytes;
    int order = memcmp(x->data, y->data, n);

    return order ? order : (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* Writes a header with the vocabulary alone and reads it back. */
static GgufFile *write_and_open(const SynthShape *shape, Arena *arena)
{
    char path[256];
    const uint8_t *data;
    size_t n_bytes;
    Error err = {0};

    snprintf(path, sizeof path, "%s/vocabulary.gguf", harness_temporary_folder());
    GgufWriter *writer = gguf_writer_create(&err);
    CHECK(writer && synth_write_vocab(writer, shape, arena, &err));
    CHECK(gguf_writer_header(writer, &data, &n_bytes, &err));
    FILE *stream = fopen(path, "wb");
    CHECK(stream && fwrite(data, 1, n_bytes, stream) == n_bytes && fclose(stream) == 0);
    gguf_writer_free(writer);
    GgufFile *gguf = gguf_open(path, GGUF_METADATA_ONLY, NULL, 0, &err);
    if (!gguf) printf("    %s\n", err.message);
    return gguf;
}

TEST(tokens_are_all_different)
{
    static const char *const names[] = {"tiny-moe", "mixtral-8x7b", "qwen3-30b-a3b"};

    for (size_t s = 0; s < COUNT(names); s++) {
        Arena arena;
        GgufArray tokens = {0};
        Error err = {0};
        uint64_t cursor = 0, n = 0;

        arena_init(&arena, MEM_OTHER);
        GgufFile *gguf = write_and_open(synth_find_shape(names[s]), &arena);
        CHECK_CASE(names[s], gguf);
        if (!gguf) continue;
        CHECK(gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, &err)
              == GGUF_PRESENT);
        CHECK_CASE(names[s], tokens.n == synth_find_shape(names[s])->n_vocab);
        StringView *texts = arena_alloc_array(&arena, tokens.n, sizeof *texts, &err);
        while (gguf_array_next_string(&tokens, &cursor, &texts[n])) n++;
        CHECK_CASE(names[s], n == tokens.n);
        qsort(texts, n, sizeof *texts, compare_views);
        for (uint64_t i = 1; i < n; i++)
            if (!CHECK_CASE(names[s], compare_views(&texts[i - 1], &texts[i]) < 0)) break;
        gguf_close(gguf);
        arena_destroy(&arena);
    }
}
