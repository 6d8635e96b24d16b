#include <stdio.h>

#include "apps/model_apps.h"
#include "data/h5.h"
#include "tensor/tensor.h"

int dip_cmd_versions(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)printf("libtorch %s\nHDF5 %s\n", dip_tensor_torch_version(),
                 dip_h5_version());
    return 0;
}
