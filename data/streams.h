/* The random streams of data/, so that no two draw the same numbers: the
 * `purpose` of dip_rng_stream(). Those that count text sources add
 * the source's index. */
#ifndef DIP_DATA_STREAMS_H
#define DIP_DATA_STREAMS_H

enum {
    DIP_STREAM_ORDER = 0x100,        /* (seed, epoch, 0) */
    DIP_STREAM_AUGMENT = 0x101,      /* (seed, epoch, row) */
    DIP_STREAM_QUERY = 0x102,        /* (seed, epoch, row) */
    DIP_STREAM_DAMAGE = 0x103,       /* (seed, row, word) */
    DIP_STREAM_NEIGHBOURS = 0x104,   /* (seed, draw, node) */
    DIP_STREAM_NEGATIVES = 0x105,    /* (seed, epoch, place in the epoch) */
    DIP_STREAM_HOLD_OUT = 0x106,     /* (0, interaction, 0) */
    DIP_STREAM_WORD_DROPOUT = 0x200, /* + source: (seed, epoch, row) */
    DIP_STREAM_UNKNOWN = 0x400,      /* + attribute: (seed, epoch, row) */
};

#endif
