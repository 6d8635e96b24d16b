/* What this build is. */
#ifndef DIP_APPS_VERSION_H
#define DIP_APPS_VERSION_H

/* Both static: "0.1.0", and the commit that it was built from ("unknown" out
 * of a repository). */
const char *dip_version(void);
const char *dip_version_commit(void);

#endif
