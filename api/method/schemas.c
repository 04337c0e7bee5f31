#include "api/method/schemas.h"

#include "base/mem.h"

const struct lampo_method *const schemas_bundled[] = {
	&schema_getinfo,	  &schema_stop,
	&schema_connect,	  &schema_disconnect,
	&schema_listpeers,	  &schema_newaddr,
	&schema_listfunds,	  &schema_withdraw,
	&schema_fundchannel,	  &schema_listpeerchannels,
	&schema_listclosedchannels, &schema_close,
	&schema_setchannel,	  &schema_listforwards,
	&schema_delforward,
	&schema_invoice,	  &schema_listinvoices,
	&schema_waitanyinvoice,	  &schema_delinvoice,
	&schema_autoclean_once,	  &schema_autoclean_status,
	&schema_waitinvoice,	  &schema_decode,
	&schema_pay,		  &schema_keysend,
	&schema_probe,		  &schema_listpays,
	&schema_listsendpays,	  &schema_delpay,
	&schema_sendpay,	  &schema_waitsendpay,
	&schema_staticbackup,
	&schema_emergencyrecover, &schema_recoverchannel,
	&schema_listsweeps,
	&schema_listchannels,	  &schema_networkchannels,
	&schema_listnodes,
	&schema_getroute,	  &schema_getroutes,
	&schema_askrene_create_layer, &schema_askrene_remove_layer,
	&schema_askrene_listlayers, &schema_askrene_create_channel,
	&schema_askrene_update_channel, &schema_askrene_remove_channel_update,
	&schema_askrene_inform_channel, &schema_askrene_bias_channel,
	&schema_askrene_bias_node, &schema_askrene_disable_node,
	&schema_askrene_reserve,  &schema_askrene_unreserve,
	&schema_askrene_listreservations, &schema_askrene_age,
};
const size_t schemas_bundled_count = ARRAY_COUNT(schemas_bundled);
