#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static char folder[] = "/tmp/diptych-test-file-XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") != 0 || dip_tree_remove(folder, NULL) != DIP_OK;
}

static void expect_content(const char *path, const char *content)
{
    char *text;
    size_t n;
    assert_int_equal(dip_file_read(&text, &n, path, 1000, NULL), DIP_OK);
    assert_int_equal(n, strlen(content));
    assert_string_equal(text, content);
    free(text);
}

/* The names in the folder, joined by blanks: nothing else may be left. */
static void expect_names(const char *path, const char *expected)
{
    char **names;
    size_t count;
    assert_int_equal(dip_dir_list(&names, &count, path, NULL), DIP_OK);
    char joined[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s%s",
                                 i > 0 ? " " : "", names[i]);
    dip_dir_list_free(names, count);
    assert_string_equal(joined, expected);
}

static void make_empty(const char *path)
{
    assert_int_equal(dip_tree_remove(path, NULL), DIP_OK);
    assert_int_equal(dip_dir_make(path, NULL), DIP_OK);
}

static void test_file_read_keeps_to_its_limit(void **state)
{
    (void)state;
    char *text;
    size_t n;
    dip_err err = {0};
    assert_int_equal(dip_file_write("five", "12345", 5, NULL), DIP_OK);
    assert_int_equal(dip_file_read(&text, &n, "five", 5, &err), DIP_OK);
    assert_int_equal(n, 5);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(dip_file_read(&text, &n, "five", 4, &err), DIP_ERANGE);
    assert_null(text);
    assert_string_equal(err.msg, "'five' is larger than 4 bytes");
    assert_int_equal(dip_file_read(&text, &n, "/dev/zero", 1 << 20, &err),
                     DIP_ERANGE);
    assert_int_equal(dip_file_write("none", "", 0, NULL), DIP_OK);
    expect_content("none", "");
}

static void test_file_read_passes_a_chunk(void **state)
{
    (void)state;
    enum { SIZE = 3 * (1 << 16) + 7 };
    char *bytes = malloc(SIZE), *text;
    size_t n;
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * i >> 7);
    assert_int_equal(dip_file_write("big", bytes, SIZE, NULL), DIP_OK);
    assert_int_equal(dip_file_read(&text, &n, "big", SIZE, NULL), DIP_OK);
    assert_int_equal(n, SIZE);
    assert_memory_equal(text, bytes, SIZE);
    free(text);
    free(bytes);
}

static void test_file_errors_name_path_and_reason(void **state)
{
    (void)state;
    char *text;
    size_t n;
    dip_err err = {0};
    dip_file_info info;
    assert_int_equal(dip_file_read(&text, &n, "no", 9, &err), DIP_EIO);
    assert_string_equal(err.msg, "cannot open 'no': No such file or directory");
    assert_int_equal(dip_file_read(&text, &n, ".", 9, &err), DIP_EIO);
    assert_string_equal(err.msg, "cannot read '.': Is a directory");
    assert_int_equal(dip_file_write("no/x", "a", 1, &err), DIP_EIO);
    assert_string_equal(err.msg,
                        "cannot write 'no/x': No such file or directory");
    assert_int_equal(dip_file_stat(&info, "no", &err), DIP_ENOTFOUND);
    assert_int_equal(err.code, DIP_ENOTFOUND);
    assert_int_equal(dip_file_write("plain", "a", 1, &err), DIP_OK);
    assert_int_equal(dip_dir_make("plain/x", &err), DIP_EIO);
    assert_string_equal(err.msg, "cannot make directory 'plain': File exists");
}

static void test_file_writer_replaces_only_on_commit(void **state)
{
    (void)state;
    make_empty("w");
    assert_int_equal(dip_file_write("w/f", "old", 3, NULL), DIP_OK);
    dip_file_writer *writer;
    assert_int_equal(dip_file_writer_open(&writer, "w/f", NULL), DIP_OK);
    assert_true(fputs("new", dip_file_writer_stream(writer)) >= 0);
    expect_content("w/f", "old");
    assert_int_equal(dip_file_writer_commit(writer, NULL), DIP_OK);
    dip_file_writer_close(writer);
    expect_content("w/f", "new");
    assert_int_equal(dip_file_writer_open(&writer, "w/f", NULL), DIP_OK);
    assert_true(fputs("newer", dip_file_writer_stream(writer)) >= 0);
    assert_true(dip_file_exists(dip_file_writer_path(writer)));
    dip_file_writer_close(writer);
    expect_content("w/f", "new");
    expect_names("w", "f");
}

static void test_file_writers_of_one_path_do_not_meet(void **state)
{
    (void)state;
    make_empty("w");
    dip_file_writer *one, *two;
    assert_int_equal(dip_file_writer_open(&one, "w/f", NULL), DIP_OK);
    assert_int_equal(dip_file_writer_open(&two, "w/f", NULL), DIP_OK);
    assert_string_not_equal(dip_file_writer_path(one),
                            dip_file_writer_path(two));
    dip_file_writer_close(one);
    dip_file_writer_close(two);
    expect_names("w", "");
}

/* Found by the commit, or before it where more is written than is buffered. */
static void test_file_writer_reports_a_full_disk(void **state)
{
    (void)state;
    static const char bytes[100000];
    static const size_t sizes[] = {1, sizeof bytes};
    for (size_t i = 0; i < DIP_ARRAY_LEN(sizes); i++) {
        dip_file_writer *writer;
        dip_err err = {0};
        make_empty("w");
        assert_int_equal(dip_file_writer_open(&writer, "w/f", NULL), DIP_OK);
        FILE *stream = dip_file_writer_stream(writer);
        assert_non_null(freopen("/dev/full", "wb", stream));
        (void)fwrite(bytes, 1, sizes[i], stream);
        assert_int_equal(ferror(stream) != 0, i == 1);
        assert_int_equal(dip_file_writer_commit(writer, &err), DIP_EIO);
        assert_string_equal(err.msg,
                            "cannot write 'w/f': No space left on device");
        dip_file_writer_close(writer);
        expect_names("w", "");
    }
}

static void test_file_gets_the_mode_of_umask(void **state)
{
    (void)state;
    mode_t before = umask(027);
    assert_int_equal(dip_file_write("moded", "x", 1, NULL), DIP_OK);
    (void)umask(before);
    struct stat found;
    assert_int_equal(stat("moded", &found), 0);
    assert_int_equal(found.st_mode & 0777, 0640);
}

static void put_below(const char *dir, const char *name)
{
    char *path = dip_path_join(dir, name);
    assert_non_null(path);
    assert_int_equal(dip_file_write(path, "x", 1, NULL), DIP_OK);
    free(path);
}

static void test_file_dir_writer_appears_whole_or_not(void **state)
{
    (void)state;
    make_empty("d");
    dip_dir_writer *writer;
    assert_int_equal(dip_dir_writer_open(&writer, "d/out/", NULL), DIP_OK);
    put_below(dip_dir_writer_path(writer), "a");
    assert_false(dip_file_exists("d/out"));
    assert_int_equal(dip_dir_writer_commit(writer, NULL), DIP_OK);
    dip_dir_writer_close(writer);
    expect_names("d", "out");
    expect_names("d/out", "a");

    dip_err err = {0};
    assert_int_equal(dip_dir_writer_open(&writer, "d/out", &err), DIP_EIO);
    assert_null(writer);
    assert_string_equal(err.msg, "'d/out' exists already");

    assert_int_equal(dip_dir_writer_open(&writer, "d/next", NULL), DIP_OK);
    put_below(dip_dir_writer_path(writer), "b");
    dip_dir_writer_close(writer);
    expect_names("d", "out");
}

static void test_file_dir_writer_puts_one_in_the_place_of_another(void **state)
{
    (void)state;
    make_empty("o");
    dip_dir_writer *writer;
    assert_int_equal(dip_dir_writer_open_over(&writer, "o/out", NULL), DIP_OK);
    put_below(dip_dir_writer_path(writer), "a");
    assert_int_equal(dip_dir_writer_commit(writer, NULL), DIP_OK);
    dip_dir_writer_close(writer);
    expect_names("o/out", "a");

    assert_int_equal(dip_dir_writer_open_over(&writer, "o/out", NULL), DIP_OK);
    put_below(dip_dir_writer_path(writer), "b");
    expect_names("o/out", "a"); /* the old one stays until then */
    assert_int_equal(dip_dir_writer_commit(writer, NULL), DIP_OK);
    expect_names("o/out", "b");
    dip_dir_writer_close(writer);
    expect_names("o", "out");
    expect_names("o/out", "b");
}

/* Lets renameat2() fail for good whenever it has flags, as it does on a file
 * system that cannot exchange names. */
static bool refuse_exchange(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args[4])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int replace_without_exchange(void)
{
    dip_dir_writer *writer = NULL;
    if (!refuse_exchange())
        return 2;
    if (renameat2(AT_FDCWD, "x/out", AT_FDCWD, "x/other", RENAME_EXCHANGE) ==
            0 ||
        errno != EINVAL)
        return 3;
    if (dip_dir_writer_open_over(&writer, "x/out", NULL) != DIP_OK)
        return 4;
    char *path = dip_path_join(dip_dir_writer_path(writer), "b");
    bool ok = path != NULL && dip_file_write(path, "b", 1, NULL) == DIP_OK &&
              dip_dir_writer_commit(writer, NULL) == DIP_OK;
    dip_dir_writer_close(writer);
    free(path);
    return ok ? 0 : 5;
}

static void test_file_dir_writer_replaces_without_exchange(void **state)
{
    (void)state;
    make_empty("x");
    assert_int_equal(mkdir("x/out", 0777), 0);
    put_below("x/out", "a");
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(replace_without_exchange());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    expect_names("x", "out");
    expect_names("x/out", "b");
}

static void test_file_link_is_replaced(void **state)
{
    (void)state;
    make_empty("l");
    char target[8] = "";
    assert_int_equal(dip_link_replace("l/latest", "one", NULL), DIP_OK);
    assert_int_equal(dip_link_replace("l/latest", "two", NULL), DIP_OK);
    assert_int_equal(readlink("l/latest", target, sizeof target), 3);
    assert_memory_equal(target, "two", 3);
    expect_names("l", "latest");
    dip_err err = {0};
    put_below("l", "file");
    assert_int_equal(dip_link_replace("l/file", "x", &err), DIP_EIO);
    assert_string_equal(err.msg, "'l/file' is not a link");
}

static void test_file_tree_remove_spares_what_links_name(void **state)
{
    (void)state;
    make_empty("kept");
    put_below("kept", "a");
    assert_int_equal(dip_dir_make("t/u/v", NULL), DIP_OK);
    put_below("t/u/v", "a");
    assert_int_equal(symlink("../kept", "t/link"), 0);
    assert_int_equal(dip_tree_remove("t", NULL), DIP_OK);
    assert_false(dip_file_exists("t"));
    expect_names("kept", "a");
    assert_int_equal(dip_tree_remove("t", NULL), DIP_OK);
}

static void test_file_stat_tells_size_and_kind(void **state)
{
    (void)state;
    assert_int_equal(dip_file_write("sized", "123456", 6, NULL), DIP_OK);
    struct stat found;
    assert_int_equal(stat("sized", &found), 0);
    dip_file_info info;
    assert_int_equal(dip_file_stat(&info, "sized", NULL), DIP_OK);
    assert_int_equal(info.size, 6);
    assert_int_equal(info.inode, found.st_ino);
    assert_int_equal(info.mtime_ns / 1000000000, found.st_mtim.tv_sec);
    assert_false(info.is_directory);
    assert_true(dip_file_is_directory("."));
    assert_false(dip_file_is_directory("sized"));
    assert_false(dip_file_is_directory("no"));
}

static void test_file_same_sees_through_names(void **state)
{
    (void)state;
    assert_int_equal(dip_file_write("this", "x", 1, NULL), DIP_OK);
    assert_int_equal(dip_file_write("that", "x", 1, NULL), DIP_OK);
    assert_int_equal(symlink("this", "link"), 0);
    assert_true(dip_file_same("this", "./this"));
    assert_true(dip_file_same("link", "this"));
    assert_false(dip_file_same("this", "that"));
    assert_false(dip_file_same("this", "absent"));
    assert_false(dip_file_same("absent", "absent"));
}

static void test_file_paths_join_and_split(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *name, *joined;
    } joins[] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
        {".", "b", "b"},   {"a", "/b", "/b"},  {"/", "b", "/b"},
    };
    static const struct {
        const char *path, *dir;
    } dirs[] = {
        {"a/b", "a"}, {"b", "."},    {"/b", "/"},        {"a/b/", "a"},
        {"/", "/"},   {"a//b", "a"}, {"/a/b/c", "/a/b"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(joins); i++) {
        char *joined = dip_path_join(joins[i].dir, joins[i].name);
        assert_string_equal(joined, joins[i].joined);
        free(joined);
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(dirs); i++) {
        char *dir = dip_path_dir(dirs[i].path);
        assert_string_equal(dir, dirs[i].dir);
        free(dir);
    }
    assert_string_equal(dip_path_base("a/b.h5"), "b.h5");
    assert_string_equal(dip_path_base("b"), "b");
    assert_true(dip_path_has_suffix("a.h5", ".h5"));
    assert_false(dip_path_has_suffix("h5", ".h5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_read_keeps_to_its_limit),
        cmocka_unit_test(test_file_read_passes_a_chunk),
        cmocka_unit_test(test_file_errors_name_path_and_reason),
        cmocka_unit_test(test_file_writer_replaces_only_on_commit),
        cmocka_unit_test(test_file_writers_of_one_path_do_not_meet),
        cmocka_unit_test(test_file_writer_reports_a_full_disk),
        cmocka_unit_test(test_file_gets_the_mode_of_umask),
        cmocka_unit_test(test_file_dir_writer_appears_whole_or_not),
        cmocka_unit_test(test_file_dir_writer_puts_one_in_the_place_of_another),
        cmocka_unit_test(test_file_dir_writer_replaces_without_exchange),
        cmocka_unit_test(test_file_link_is_replaced),
        cmocka_unit_test(test_file_tree_remove_spares_what_links_name),
        cmocka_unit_test(test_file_stat_tells_size_and_kind),
        cmocka_unit_test(test_file_same_sees_through_names),
        cmocka_unit_test(test_file_paths_join_and_split),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
