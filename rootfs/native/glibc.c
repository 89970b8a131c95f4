/*
 * The few names of glibc that Chroma's Rust module uses and musl does not have.
 *
 * The module comes from PyPI, built for glibc 2.17. musl resolves almost all of it, "64" names
 * included; what is left are the stat calls of old glibc, two locale variants and a version query.
 */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Before glibc 2.33 stat() was an inline call of these, with the layout's version first. */
int __xstat64(int version, const char *path, struct stat *result)
{
    (void)version;
    return stat(path, result);
}

int __lxstat64(int version, const char *path, struct stat *result)
{
    (void)version;
    return lstat(path, result);
}

int __fxstat64(int version, int file, struct stat *result)
{
    (void)version;
    return fstat(file, result);
}

/* musl reads resolv.conf anew at every query: there is nothing to initialise. */
int __res_init(void)
{
    return 0;
}

/* Numbers look the same in every locale of musl. */
long long strtoll_l(const char *text, char **end, int base, locale_t locale)
{
    (void)locale;
    return strtoll(text, end, base);
}

unsigned long long strtoull_l(const char *text, char **end, int base, locale_t locale)
{
    (void)locale;
    return strtoull(text, end, base);
}

/* Rust asks, to work around bugs of old versions; 2.17 is what the module was built for. */
const char *gnu_get_libc_version(void)
{
    return "2.17";
}

/* Used on aarch64 only, where glibc keeps pthread_atfork in a static library. */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
{
    (void)library;
    return pthread_atfork(prepare, parent, child);
}
