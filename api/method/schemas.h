/* The bundled methods as data: names, parameters, results and errors.
 *
 * Where Core Lightning has a method, its names stand first and Lampo's are
 * aliases; an answer holds the fields of both. */
#ifndef API_METHOD_SCHEMAS_H
#define API_METHOD_SCHEMAS_H

#include "lampo/method.h"

extern const struct lampo_method schema_getinfo, schema_stop;
extern const struct lampo_method schema_connect, schema_disconnect, schema_listpeers;
extern const struct lampo_method schema_newaddr, schema_listfunds, schema_withdraw;
extern const struct lampo_method schema_fundchannel, schema_listpeerchannels, schema_listclosedchannels, schema_close;
extern const struct lampo_method schema_invoice, schema_listinvoices, schema_waitinvoice, schema_decode;
extern const struct lampo_method schema_pay, schema_keysend, schema_listpays, schema_sendpay, schema_waitsendpay;
extern const struct lampo_method schema_staticbackup, schema_emergencyrecover, schema_recoverchannel;

/* All of them, in the order of help. */
extern const struct lampo_method *const schemas_bundled[];
extern const size_t schemas_bundled_count;

#endif
