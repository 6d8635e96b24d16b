/* export/index.h over FAISS: the only file that includes <faiss/…>. */
extern "C" {
#include "base/file.h"
#include "data/embedding_store.h"
#include "export/index.h"
}

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>
#include <omp.h>

struct dip_index {
    std::unique_ptr<faiss::Index> faiss;
    dip_index_kind kind;
};

namespace
{

using row_id = faiss::Index::idx_t;

enum { CONSTRUCTION_DEPTH = 80, BITS = 8, QUERIES_AT_ONCE = 1024 };

/* ---- exceptions ---- */

/* The end of FAISS's reason, without the places in its source. */
dip_status fail(dip_err *err, dip_status code, const char *what,
                const std::exception &e)
{
    std::string reason = e.what();
    size_t place = reason.rfind("Error: ");
    if (place != std::string::npos)
        reason.erase(0, place + 7);
    reason.erase(std::min(reason.find('\n'), reason.size()));
    return dip_fail(err, code, "%s: %.200s", what, reason.c_str());
}

/* Runs `body`; what it throws becomes a status. */
template <typename Body>
dip_status guard(dip_err *err, dip_status code, const char *what, Body body)
{
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return dip_fail(err, DIP_ENOMEM, "out of memory");
    } catch (const std::length_error &) {
        return dip_fail(err, code, "%s: a size is out of range", what);
    } catch (const std::exception &e) {
        return fail(err, code, what, e);
    } catch (...) {
        return dip_fail(err, code, "%s", what);
    }
}

/* As many threads as there were, after a part that has one. */
class one_thread
{
  public:
    explicit one_thread(bool wanted) : before(omp_get_max_threads())
    {
        if (wanted)
            omp_set_num_threads(1);
    }
    ~one_thread()
    {
        omp_set_num_threads(before);
    }
    one_thread(const one_thread &) = delete;
    one_thread &operator=(const one_thread &) = delete;

  private:
    int before;
};

/* ---- making ---- */

faiss::MetricType metric_of(dip_similarity similarity)
{
    return similarity == DIP_SIMILARITY_COSINE ? faiss::METRIC_INNER_PRODUCT
                                               : faiss::METRIC_L2;
}

/* The number of points is ours to choose: FAISS is not to warn on stderr. */
void set_clustering(faiss::ClusteringParameters &cp, int64_t seed)
{
    cp.seed = static_cast<int>(seed);
    cp.min_points_per_centroid = 1;
}

void set_ivf(faiss::IndexIVF &ivf, const dip_index_options &o)
{
    ivf.own_fields = true;
    ivf.nprobe = static_cast<size_t>(o.probes);
    set_clustering(ivf.cp, o.seed);
    ivf.cp.spherical = ivf.metric_type == faiss::METRIC_INNER_PRODUCT;
}

std::unique_ptr<faiss::Index> make_ivf(const dip_index_options &o)
{
    const auto metric = metric_of(o.similarity);
    const auto lists = static_cast<size_t>(o.lists);
    auto centres = std::make_unique<faiss::IndexFlat>(o.dim, metric);
    auto ivf = std::make_unique<faiss::IndexIVFFlat>(
        centres.get(), static_cast<size_t>(o.dim), lists, metric);
    (void)centres.release(); /* set_ivf() makes it the index's */
    set_ivf(*ivf, o);
    return ivf;
}

std::unique_ptr<faiss::Index> make_ivfpq(const dip_index_options &o)
{
    const auto metric = metric_of(o.similarity);
    auto centres = std::make_unique<faiss::IndexFlat>(o.dim, metric);
    auto ivf = std::make_unique<faiss::IndexIVFPQ>(
        centres.get(), static_cast<size_t>(o.dim), static_cast<size_t>(o.lists),
        static_cast<size_t>(o.code_bytes), BITS, metric);
    (void)centres.release();
    set_ivf(*ivf, o);
    set_clustering(ivf->pq.cp, o.seed);
    return ivf;
}

std::unique_ptr<faiss::Index> make_hnsw(const dip_index_options &o)
{
    auto graph = std::make_unique<faiss::IndexHNSWFlat>(
        static_cast<int>(o.dim), static_cast<int>(o.links),
        metric_of(o.similarity));
    graph->hnsw.efConstruction = CONSTRUCTION_DEPTH;
    graph->hnsw.efSearch = static_cast<int>(o.depth);
    graph->hnsw.rng = faiss::RandomGenerator(o.seed);
    return graph;
}

std::unique_ptr<faiss::Index> make(const dip_index_options &o)
{
    switch (o.kind) {
    case DIP_INDEX_IVF:
        return make_ivf(o);
    case DIP_INDEX_IVFPQ:
        return make_ivfpq(o);
    case DIP_INDEX_HNSW:
        return make_hnsw(o);
    default:
        return std::make_unique<faiss::IndexFlat>(o.dim,
                                                  metric_of(o.similarity));
    }
}

/* ---- reading ---- */

/* FAISS makes room for what a file says before it reads it. This looks first:
 * nothing is counted that the file has no bytes for, there are no parts but
 * those of the kinds that are built here, and no more than an index and what it
 * holds. */
class careful_reader : public faiss::IOReader
{
  public:
    careful_reader(FILE *from, int64_t size)
        : file(from), left(static_cast<size_t>(size)),
          most(std::max<size_t>(left / sizeof(float), DUMMY))
    {
    }

    size_t operator()(void *to, size_t size, size_t items) override
    {
        if (size == 0 || items > left / size)
            return 0;
        const size_t got = std::fread(to, size, items, file);
        left -= got * size;
        if (size != sizeof(uint64_t))
            of_list_row = 0;
        else if (of_list_row > 0)
            check_lists_of(to, got);
        if (got == 1 && size == sizeof(uint64_t))
            check_number(to);
        else
            in_a_row = 0;
        if (got == 1 && size == sizeof(uint32_t))
            check_name(to);
        if (got == 1 && size == 1 && !in_lists &&
            *static_cast<const uint8_t *>(to) > 1)
            throw faiss::FaissException("a truth value is none");
        return got;
    }

    size_t bytes_left() const
    {
        return left;
    }

  private:
    /* What FAISS writes in two places of each index. */
    static constexpr size_t DUMMY = 1 << 20;
    static constexpr int INDEXES_MOST = 2;

    FILE *file;
    size_t left, most;
    size_t numbers[4] = {};
    int in_a_row = 0, indexes = 0;
    bool in_lists = false;  /* where codes are that may be of one byte */
    size_t last = 0;        /* number */
    size_t of_list_row = 0; /* bytes of a row; 0: no sizes of lists are next */

    /* The rows of each list stand in the rest of the file. */
    void check_lists_of(const void *sizes, size_t count) const
    {
        for (size_t i = 0; i < count; i++) {
            uint64_t rows;
            std::memcpy(&rows,
                        static_cast<const char *>(sizes) + i * sizeof rows,
                        sizeof rows);
            if (rows > left / of_list_row)
                throw faiss::FaissException(
                    "it counts what it has no bytes for");
        }
    }

    /* Four in a row are about codes: bytes, numbers and parts of a row, bits of
     * a part. A table of 2^bits is made for each number. */
    void check_number(const void *at)
    {
        uint64_t number;
        std::memcpy(&number, at, sizeof number);
        if (number > most)
            throw faiss::FaissException("it counts what it has no bytes for");
        last = number;
        if (in_a_row == 4)
            in_a_row = 0;
        numbers[in_a_row++] = number;
        if (in_a_row == 4 && (numbers[1] > DIP_EMBEDDING_DIM_MAX ||
                              numbers[2] < 1 || numbers[3] != BITS))
            throw faiss::FaissException("its codes are impossible");
    }

    void check_name(const void *at)
    {
        static const char *const known[] = {"IxFI", "IxF2", "IwFl", "IwPQ",
                                            "IHNf", "ilar", "full", "sprs"};
        const std::string word(static_cast<const char *>(at), 4);
        if (!std::all_of(word.begin(), word.end(), [](char c) {
                return std::isalnum(static_cast<unsigned char>(c)) != 0;
            }))
            return;
        indexes += word[0] == 'I';
        if (word == "full" || word == "sprs") { /* behind the bytes of a code */
            of_list_row = last + sizeof(uint64_t);
            in_lists = true;
        }
        if (std::find(std::begin(known), std::end(known), word) ==
                std::end(known) ||
            indexes > INDEXES_MOST)
            throw faiss::FaissException("it holds '" + word + "'");
    }
};

/* ---- checking what was read ---- */

/* As a number: what was read may be none of the type's. */
int metric_number(const faiss::Index &index)
{
    int number;
    static_assert(sizeof number == sizeof index.metric_type);
    std::memcpy(&number, &index.metric_type, sizeof number);
    return number;
}

/* The rows, or the centres of lists, of `of`. */
bool is_flat(const faiss::Index *index, const faiss::Index &of, int64_t rows)
{
    auto flat = dynamic_cast<const faiss::IndexFlat *>(index);
    return flat != nullptr && flat->d == of.d && flat->ntotal == rows &&
           metric_number(*flat) == metric_number(of) &&
           flat->code_size == sizeof(float) * static_cast<size_t>(of.d) &&
           flat->codes.size() == flat->code_size * static_cast<size_t>(rows);
}

/* Every list holds rows of the index, and as many in all. */
bool check_lists(const faiss::IndexIVF &ivf)
{
    const auto *lists = ivf.invlists;
    if (lists == nullptr || lists->nlist != ivf.nlist ||
        lists->code_size != ivf.code_size || ivf.nprobe < 1 ||
        !is_flat(ivf.quantizer, ivf, static_cast<int64_t>(ivf.nlist)))
        return false;
    size_t total = 0;
    for (size_t l = 0; l < ivf.nlist; l++) {
        faiss::InvertedLists::ScopedIds ids(lists, l);
        const size_t size = lists->list_size(l);
        total += size;
        for (size_t i = 0; i < size; i++) {
            if (ids[i] < 0 || ids[i] >= ivf.ntotal)
                return false;
        }
    }
    return total == static_cast<size_t>(ivf.ntotal);
}

bool check_codes(const faiss::IndexIVFPQ &ivf)
{
    const auto &pq = ivf.pq;
    return pq.d == static_cast<size_t>(ivf.d) && pq.nbits == BITS && pq.M > 0 &&
           pq.d % pq.M == 0 && pq.code_size == pq.M && ivf.code_size == pq.M &&
           pq.centroids.size() == pq.d * pq.ksub;
}

/* Links of row `i` on every level lead to rows that have this level. */
bool check_links(const faiss::HNSW &h, size_t i, int64_t rows)
{
    for (int level = 0; level < h.levels[i]; level++) {
        size_t begin = h.offsets[i] +
                       static_cast<size_t>(h.cum_nneighbor_per_level[level]);
        size_t end = h.offsets[i] +
                     static_cast<size_t>(h.cum_nneighbor_per_level[level + 1]);
        for (size_t at = begin; at < end; at++) {
            int64_t to = h.neighbors[at];
            if (to < -1 || to >= rows ||
                (to >= 0 && h.levels[static_cast<size_t>(to)] <= level))
                return false;
        }
    }
    return true;
}

bool check_levels(const faiss::HNSW &h, size_t rows)
{
    const auto &sums = h.cum_nneighbor_per_level;
    if (h.levels.size() != rows || h.offsets.size() != rows + 1 ||
        sums.empty() || sums[0] != 0 || h.offsets[0] != 0 ||
        h.offsets[rows] != h.neighbors.size())
        return false;
    for (size_t l = 1; l < sums.size(); l++) {
        if (sums[l] < sums[l - 1])
            return false;
    }
    for (size_t i = 0; i < rows; i++) {
        const int levels = h.levels[i];
        if (levels < 1 || static_cast<size_t>(levels) >= sums.size() ||
            h.offsets[i + 1] < h.offsets[i] ||
            h.offsets[i + 1] - h.offsets[i] !=
                static_cast<size_t>(sums[levels]))
            return false;
    }
    return true;
}

bool check_graph(const faiss::IndexHNSWFlat &graph)
{
    const auto &h = graph.hnsw;
    const auto rows = static_cast<size_t>(graph.ntotal);
    if (!is_flat(graph.storage, graph, graph.ntotal) ||
        !check_levels(h, rows) || h.efSearch < 1)
        return false;
    if (rows == 0)
        return true;
    if (h.entry_point < 0 || h.entry_point >= graph.ntotal ||
        h.levels[static_cast<size_t>(h.entry_point)] != h.max_level + 1)
        return false;
    for (size_t i = 0; i < rows; i++) {
        if (!check_links(h, i, graph.ntotal))
            return false;
    }
    return true;
}

/* Sets the kind; false where the index is none, or does not hold together. */
bool check(dip_index &index)
{
    faiss::Index *f = index.faiss.get();
    if (f == nullptr || f->d < 1 || f->ntotal < 0 || !f->is_trained ||
        (metric_number(*f) != faiss::METRIC_INNER_PRODUCT &&
         metric_number(*f) != faiss::METRIC_L2))
        return false;
    if (auto pq = dynamic_cast<faiss::IndexIVFPQ *>(f)) {
        index.kind = DIP_INDEX_IVFPQ;
        return check_lists(*pq) && check_codes(*pq);
    }
    if (auto ivf = dynamic_cast<faiss::IndexIVFFlat *>(f)) {
        index.kind = DIP_INDEX_IVF;
        return check_lists(*ivf) &&
               ivf->code_size == sizeof(float) * static_cast<size_t>(ivf->d);
    }
    if (auto graph = dynamic_cast<faiss::IndexHNSWFlat *>(f)) {
        index.kind = DIP_INDEX_HNSW;
        return check_graph(*graph);
    }
    index.kind = DIP_INDEX_FLAT;
    return is_flat(f, *f, f->ntotal);
}

/* ---- searching ---- */

void search_some(dip_hit *out, const faiss::Index &index, const float *queries,
                 int64_t count, int64_t k)
{
    const auto places = static_cast<size_t>(count * k);
    std::vector<float> scores(places);
    std::vector<row_id> rows(places);
    const bool distances = index.metric_type == faiss::METRIC_L2;
    index.search(count, queries, k, scores.data(), rows.data());
    for (size_t i = 0; i < places; i++) {
        float score = distances ? -scores[i] : scores[i];
        out[i] = rows[i] < 0 ? dip_hit{-INFINITY, -1} : dip_hit{score, rows[i]};
    }
}

} // namespace

extern "C" {

dip_status dip_index_create(dip_index **out, const dip_index_options *options,
                            dip_err *err)
{
    *out = nullptr;
    return guard(err, DIP_ECONFIG, "no such index", [&] {
        auto index = std::make_unique<dip_index>();
        index->kind = options->kind;
        index->faiss = make(*options);
        *out = index.release();
        return DIP_OK;
    });
}

void dip_index_free(dip_index *index)
{
    delete index;
}

dip_status dip_index_train(dip_index *index, const float *rows, int64_t count,
                           dip_err *err)
{
    return guard(err, DIP_EDATA, "the index learns nothing", [&] {
        index->faiss->train(count, rows);
        return DIP_OK;
    });
}

dip_status dip_index_add(dip_index *index, const float *rows, int64_t count,
                         dip_err *err)
{
    return guard(err, DIP_EDATA, "the index takes no rows", [&] {
        one_thread threads(index->kind == DIP_INDEX_HNSW);
        index->faiss->add(count, rows);
        return DIP_OK;
    });
}

int64_t dip_index_rows(const dip_index *index)
{
    return index->faiss->ntotal;
}

int64_t dip_index_dim(const dip_index *index)
{
    return index->faiss->d;
}

dip_index_kind dip_index_kind_of(const dip_index *index)
{
    return index->kind;
}

dip_similarity dip_index_similarity(const dip_index *index)
{
    return index->faiss->metric_type == faiss::METRIC_L2
               ? DIP_SIMILARITY_EUCLIDEAN
               : DIP_SIMILARITY_COSINE;
}

dip_status dip_index_search(dip_hit *out, const dip_index *index,
                            const dip_embeddings *queries, int64_t k,
                            bool alone, dip_err *err)
{
    if (queries->dim != index->faiss->d)
        return dip_fail(err, DIP_ERANGE,
                        "queries of %lld numbers for an index of %lld",
                        static_cast<long long>(queries->dim),
                        static_cast<long long>(index->faiss->d));
    return guard(err, DIP_FAIL, "the index cannot be searched", [&] {
        one_thread threads(alone);
        for (int64_t at = 0; at < queries->rows; at += QUERIES_AT_ONCE) {
            int64_t count =
                std::min<int64_t>(queries->rows - at, QUERIES_AT_ONCE);
            search_some(out + at * k, *index->faiss,
                        queries->data + at * queries->dim, count, k);
        }
        return DIP_OK;
    });
}

dip_status dip_index_write(const dip_index *index, const char *path,
                           dip_err *err)
{
    dip_file_writer *writer = nullptr;
    dip_status st = dip_file_writer_open(&writer, path, err);
    if (st == DIP_OK)
        st = guard(err, DIP_EIO, "the index cannot be written", [&] {
            faiss::write_index(index->faiss.get(),
                               dip_file_writer_stream(writer));
            return DIP_OK;
        });
    if (st == DIP_OK)
        st = dip_file_writer_commit(writer, err);
    dip_file_writer_close(writer);
    return st;
}

dip_status dip_index_read(dip_index **out, const char *path, dip_err *err)
{
    *out = nullptr;
    dip_file_info info;
    dip_status st = dip_file_stat(&info, path, err);
    if (st != DIP_OK)
        return st;
    std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path, "rb"), fclose);
    if (!file)
        return dip_fail(err, DIP_EIO, "cannot open '%s'", path);
    char what[256];
    (void)std::snprintf(what, sizeof what,
                        "'%.200s' is no index of a kind that is built here",
                        path);
    return guard(err, DIP_EFORMAT, what, [&] {
        careful_reader reader(file.get(), info.size);
        auto index = std::make_unique<dip_index>();
        index->faiss.reset(faiss::read_index(&reader));
        if (reader.bytes_left() > 0 || !check(*index))
            throw faiss::FaissException("it contradicts itself");
        *out = index.release();
        return DIP_OK;
    });
}
}
