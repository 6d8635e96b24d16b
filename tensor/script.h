/* What script.cc and graph.cc share; for .cc files of this folder only. */
#ifndef DIP_TENSOR_SCRIPT_H
#define DIP_TENSOR_SCRIPT_H

#include <torch/csrc/jit/api/module.h>

struct dip_script {
    torch::jit::Module module;
};

#endif
