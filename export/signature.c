#include "export/signature.h"

json_t *dip_signature_json(const dip_signature *s)
{
    json_t *shape = json_array();
    for (int i = 0; i < s->rank; i++)
        (void)json_array_append_new(shape, s->sizes[i] < 0
                                               ? json_string(s->axes[i])
                                               : json_integer(s->sizes[i]));
    return json_pack("{s:s, s:s, s:o}", "name", s->name, "dtype",
                     s->dtype == DIP_F32   ? "float32"
                     : s->dtype == DIP_I64 ? "int64"
                     : s->dtype == DIP_U8  ? "uint8"
                                           : "bool",
                     "shape", shape);
}
