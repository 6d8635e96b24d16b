#include "apps/version.h"

#ifndef DIP_COMMIT
#define DIP_COMMIT "unknown"
#endif

const char *dip_version(void)
{
    return DIP_VERSION;
}

const char *dip_version_commit(void)
{
    return DIP_COMMIT;
}
