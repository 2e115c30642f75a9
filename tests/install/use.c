/* A program of somebody else: it has functions of the same names as ours inside, opens a
 * model, and prints how many tokens it knows. C11 and C++17 alike. */
#include <hypura/hypura.h>

#include <stdio.h>
#include <string.h>

/* Hypura has all of these; neither may meet the other. */
void *mem_alloc(void);
void json_object(void);
int error_set;

void *mem_alloc(void)
{
    return NULL;
}

void json_object(void)
{
    error_set++;
}

int main(int argc, char **argv)
{
    hypura_error error;
    hypura_model_options options;

    memset(&options, 0, sizeof(options));
    options.size_bytes = sizeof(options);
    options.need = HYPURA_NEED_TEXT;
    if (argc != 2) return 2;
    hypura_model *model = hypura_model_open(argv[1], &options, &error);
    if (!model) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%s: %u tokens\n", hypura_version(), hypura_n_vocab(model));
    hypura_model_close(model);
    json_object();
    return error_set == 1 && mem_alloc() == NULL ? 0 : 1;
}
