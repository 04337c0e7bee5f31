/* What crosses the library's border. */
#ifndef LAMPO_EXPORT_H
#define LAMPO_EXPORT_H

#if defined(__GNUC__)
#define LAMPO_API __attribute__((visibility("default")))
#else
#define LAMPO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when functions are added; the library's name grows when one changes. */
#define LAMPO_API_VERSION 1
/* What the library was built as. */
LAMPO_API int lampo_api_version(void);
LAMPO_API const char *lampo_version(void); /* "0.2.0" */

#ifdef __cplusplus
}
#endif

#endif
