/*
 * AFL++ changes stories with their meaning in view: what it asks of a custom mutator, said in libFuzzer's words, which
 * the Rust side speaks. Linked with that into the library that AFL_CUSTOM_MUTATOR_LIBRARY names. It holds no mutation of
 * its own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2, uint8_t *out,
                                 size_t max_out_size, unsigned int seed);

/* A story longer than this plays slowly and reads badly. */
enum { LONGEST = 1024 };
/* By so much a crossover may be longer than the longer of the two, or stories would double their length each time. */
enum { GROWTH = 32 };

struct mutator {
    uint64_t state;
    uint8_t out[LONGEST];
};

/* The same seed of AFL++ gives the same numbers (splitmix64). */
static uint32_t next(struct mutator *mutator)
{
    uint64_t x = mutator->state += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)((x ^ (x >> 31)) >> 32);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

__attribute__((visibility("default"))) void *afl_custom_init(void *afl, unsigned int seed)
{
    (void)afl;
    struct mutator *mutator = calloc(1, sizeof *mutator);
    if (mutator)
        mutator->state = seed;
    return mutator;
}

__attribute__((visibility("default"))) size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t buf_size,
                                                              uint8_t **out_buf, uint8_t *add_buf,
                                                              size_t add_buf_size, size_t max_size)
{
    struct mutator *mutator = data;
    size_t room = least(max_size, LONGEST);
    *out_buf = mutator->out;
    if (add_buf && next(mutator) % 4 == 0) {
        size_t longer = buf_size > add_buf_size ? buf_size : add_buf_size;
        return LLVMFuzzerCustomCrossOver(buf, buf_size, add_buf, add_buf_size, mutator->out,
                                         least(room, longer + GROWTH), next(mutator));
    }
    size_t size = least(buf_size, room);
    memcpy(mutator->out, buf, size);
    return LLVMFuzzerCustomMutator(mutator->out, size, room, next(mutator));
}

__attribute__((visibility("default"))) void afl_custom_deinit(void *data)
{
    free(data);
}
