extern "C" {
#include "data/sentencepiece.h"
#include "data/sentencepiece_check.h"
}

#include <memory>
#include <new>
#include <string>
#include <vector>

#include <sentencepiece_processor.h>

struct dip_sentencepiece {
    sentencepiece::SentencePieceProcessor processor;
};

namespace
{

/* The library's reason: "file.cc(line) [condition] words", where the words may
 * be missing. */
dip_status fail(dip_err *err, const sentencepiece::util::Status &status)
{
    std::string reason = status.error_message();
    size_t place = reason.find(") ["), words = reason.rfind("] ");
    if (place != std::string::npos && words != std::string::npos)
        reason.erase(0, words + 2);
    while (!reason.empty() && (reason.back() == '.' || reason.back() == ' '))
        reason.pop_back();
    return dip_fail(err, DIP_EFORMAT, "no sentencepiece model: %s",
                    reason.empty() ? "damaged" : reason.c_str());
}

} // namespace

extern "C" {

dip_status dip_sentencepiece_open(dip_sentencepiece **out, const void *bytes,
                                  size_t n, dip_err *err)
try {
    *out = nullptr;
    dip_status st = dip_sentencepiece_check(bytes, n, err);
    if (st != DIP_OK)
        return st;
    auto model = std::make_unique<dip_sentencepiece>();
    auto status = model->processor.LoadFromSerializedProto(
        absl::string_view(static_cast<const char *>(bytes), n));
    if (!status.ok())
        return fail(err, status);
    *out = model.release();
    return DIP_OK;
} catch (const std::bad_alloc &) {
    return dip_fail(err, DIP_ENOMEM, "out of memory");
} catch (...) {
    return dip_fail(err, DIP_EFORMAT, "no sentencepiece model");
}

void dip_sentencepiece_close(dip_sentencepiece *model)
{
    delete model;
}

int64_t dip_sentencepiece_size(const dip_sentencepiece *model)
{
    return model->processor.GetPieceSize();
}

const char *dip_sentencepiece_piece(const dip_sentencepiece *model, int64_t id,
                                    size_t *n)
{
    const std::string &piece = model->processor.IdToPiece(static_cast<int>(id));
    *n = piece.size();
    return piece.data();
}

dip_sentencepiece_ids dip_sentencepiece_special(const dip_sentencepiece *model)
{
    const auto &p = model->processor;
    return {p.pad_id(), p.unk_id(), p.bos_id(), p.eos_id()};
}

dip_status dip_sentencepiece_encode(const dip_sentencepiece *model,
                                    const char *text, size_t n,
                                    void (*put)(void *user, int64_t id),
                                    void *user, dip_err *err)
try {
    std::vector<int> ids;
    auto status = model->processor.Encode(absl::string_view(text, n), &ids);
    if (!status.ok())
        return fail(err, status);
    for (int id : ids)
        put(user, id);
    return DIP_OK;
} catch (const std::bad_alloc &) {
    return dip_fail(err, DIP_ENOMEM, "out of memory");
} catch (...) {
    return dip_fail(err, DIP_EFORMAT, "sentencepiece cannot read a text");
}

} // extern "C"
