/* DISPATCHED before a function compiles it for several instruction sets, of
 * which the machine's best runs. (The loader's choice between them runs before
 * the address sanitizer does, so that one gets the baseline alone.) */
#ifndef DIP_BASE_DISPATCHED_H
#define DIP_BASE_DISPATCHED_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&         \
    !defined(__SANITIZE_ADDRESS__)
#define DISPATCHED                                                             \
    __attribute__((                                                            \
        target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED /* the baseline of the machine */
#endif

#endif
