#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BYTES = (DIP_DIGEST_SIZE - 1) / 2 };

struct dip_digest {
    EVP_MD_CTX *context;
};

static dip_status fail_digest(dip_err *err)
{
    return dip_fail(err, DIP_FAIL, "libcrypto refused to compute sha-256");
}

dip_status dip_digest_new(dip_digest **out, dip_err *err)
{
    *out = NULL;
    dip_digest *digest = dip_calloc(1, sizeof *digest);
    if (digest == NULL)
        return dip_no_memory(err);
    digest->context = EVP_MD_CTX_new();
    if (digest->context == NULL) {
        dip_digest_free(digest);
        return dip_no_memory(err);
    }
    if (EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        dip_digest_free(digest);
        return fail_digest(err);
    }
    *out = digest;
    return DIP_OK;
}

dip_status dip_digest_add(dip_digest *digest, const void *bytes, size_t n,
                          dip_err *err)
{
    if (EVP_DigestUpdate(digest->context, bytes, n) != 1)
        return fail_digest(err);
    return DIP_OK;
}

dip_status dip_digest_add_sized(dip_digest *digest, const void *bytes, size_t n,
                                dip_err *err)
{
    uint64_t length = n;
    dip_status st = dip_digest_add(digest, &length, sizeof length, err);
    return st == DIP_OK && n > 0 ? dip_digest_add(digest, bytes, n, err) : st;
}

dip_status dip_digest_end_bytes(uint8_t *out, size_t n, dip_digest *digest,
                                dip_err *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(digest->context, bytes, &length) != 1 ||
        length != BYTES)
        return fail_digest(err);
    memcpy(out, bytes, n);
    return DIP_OK;
}

dip_status dip_digest_end(char hex[DIP_DIGEST_SIZE], dip_digest *digest,
                          dip_err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[BYTES];
    dip_status st = dip_digest_end_bytes(bytes, sizeof bytes, digest, err);
    for (size_t i = 0; i < BYTES && st == DIP_OK; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * BYTES] = '\0';
    return st;
}

void dip_digest_free(dip_digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

dip_status dip_digest_bytes(char hex[DIP_DIGEST_SIZE], const void *bytes,
                            size_t n, dip_err *err)
{
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    if (st == DIP_OK)
        st = dip_digest_add(digest, bytes, n, err);
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}

static dip_status add_stream(dip_digest *digest, FILE *stream, const char *path,
                             dip_err *err)
{
    char chunk[1 << 16];
    size_t n;
    dip_status st = DIP_OK;
    do {
        n = fread(chunk, 1, sizeof chunk, stream);
        st = dip_digest_add(digest, chunk, n, err);
    } while (n == sizeof chunk && st == DIP_OK);
    if (st == DIP_OK && ferror(stream))
        st = dip_fail(err, DIP_EIO, "cannot read '%s': %s", path,
                      strerror(errno));
    return st;
}

dip_status dip_digest_file(char hex[DIP_DIGEST_SIZE], const char *path,
                           dip_err *err)
{
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                        strerror(errno));
    dip_digest *digest;
    dip_status st = dip_digest_new(&digest, err);
    if (st == DIP_OK)
        st = add_stream(digest, stream, path, err);
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    (void)fclose(stream); /* only read */
    return st;
}
