/* SPDX-License-Identifier: MIT */
/*
 * What is the same over every system's cryptography. Any thread.
 */
#include "plat/crypto.h"

size_t do_hash_size(enum do_hash_algorithm algorithm)
{
    switch (algorithm)
    {
    case DO_HASH_SHA1:
        return 20;
    case DO_HASH_SHA256:
        return DO_SHA256_SIZE;
    case DO_HASH_SHA384:
        return 48;
    case DO_HASH_SHA512:
        return 64;
    }
    return 0;
}

HRESULT do_hash_of(enum do_hash_algorithm algorithm, const void *data, size_t length, void *digest)
{
    struct do_hash *hash;
    HRESULT hr;

    if (FAILED(hr = do_hash_create(algorithm, &hash)))
        return hr;
    if (SUCCEEDED(hr = do_hash_update(hash, data, length)))
        hr = do_hash_final(hash, digest);
    do_hash_destroy(hash);
    return hr;
}
