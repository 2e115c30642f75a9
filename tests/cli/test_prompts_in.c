/* FILE of --prompts: which lines there are, and what one asks for. */
#include "cli/prompts_in.h"

#include "harness.h"

static void write_lines(const char *path, const char *text, size_t n_bytes)
{
    FILE *stream = fopen(path, "w");

    CHECK(stream && fwrite(text, 1, n_bytes, stream) == n_bytes);
    if (stream) fclose(stream);
}

TEST(blank_lines_are_counted_and_left_out)
{
    static const char text[] = "\n  \t\r\na\r\n\nb";
    char path[300];
    PromptsIn in;
    Error err = {0};

    snprintf(path, sizeof path, "%s/lines", harness_temporary_folder());
    write_lines(path, text, sizeof text - 1);
    CHECK(prompts_in_read(&in, path, &err) && in.n_lines == 2);
    CHECK(view_is(in.lines[0].text, "a\r") && in.lines[0].number == 3);
    CHECK(view_is(in.lines[1].text, "b") && in.lines[1].number == 5);
    prompts_in_destroy(&in);

    write_lines(path, "", 0);
    CHECK(prompts_in_read(&in, path, &err) && in.n_lines == 0);
    prompts_in_destroy(&in);
    snprintf(path, sizeof path, "%s/absent", harness_temporary_folder());
    CHECK(!prompts_in_read(&in, path, &err) && err.id == ERROR_USAGE);
}

TEST(a_line_goes_before_the_command)
{
    if (!json_available()) TEST_SKIP("this build has no JSON library");
    PromptsTask defaults = {.n_tokens_max = 7}, task;
    Error err = {0};
    defaults.sampling.seed = 5;
    defaults.sampling.temperature = 0.5f;

    PromptsLine line = {.text = view_of("{\"prompt\": \"a\\u0000b\", \"n\": null, \"seed\": -1}")};
    CHECK(prompts_task_parse(&task, &line, &defaults, &err));
    CHECK(task.prompt.n_bytes == 3 && memcmp(task.prompt.data, "a\0b", 3) == 0);
    CHECK(task.n_tokens_max == 7 && task.sampling.seed == 5 && !task.id && !task.stop);
    prompts_task_destroy(&task);

    line.text =
        view_of("{\"prompt\": \"a\", \"n\": -1, \"seed\": 0, \"temp\": 1, \"stop\": \"x\"}");
    CHECK(prompts_task_parse(&task, &line, &defaults, &err));
    CHECK(task.n_tokens_max == -1 && task.sampling.seed == 0 && json_is_text(task.stop));
    CHECK(task.sampling.temperature >= 1 && task.sampling.temperature <= 1);
    prompts_task_destroy(&task);
}
