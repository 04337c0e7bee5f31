/* What crosses the library's border. */
#ifndef LAMPO_EXPORT_H
#define LAMPO_EXPORT_H

#if defined(__GNUC__)
#define LAMPO_API __attribute__((visibility("default")))
#else
#define LAMPO_API
#endif

#endif
