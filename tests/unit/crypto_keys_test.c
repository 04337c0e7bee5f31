#include "tests/test.h"

#include <string.h>

#include "crypto/hash.h"
#include "crypto/keys.h"

static const uint8_t blinding[32] = { 8 };

/* bip-0340/test-vectors.csv. */
static const struct {
	const char *seckey;
	bool good;
	const char *pubkey, *aux, *message, *sig;
} schnorr[] = {
	{ "0000000000000000000000000000000000000000000000000000000000000003", true, "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
	  "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0" },
	{ "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef", true, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "0000000000000000000000000000000000000000000000000000000000000001",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de3341"
	  "8906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a" },
	{ "c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b14e5c9", true, "dd308afec5777e13121fa72b9cc1b7cc0139715309b086c960e18fd969774eb8",
	  "c87aa53824b4d7ae2eb035a2b5bbbccc080e76cdc6d1692c4b0b62d798e6d906",
	  "7e2d58d8b3bcdf1abadec7829054f90dda9805aab56c77333024b9d0a508b75c",
	  "5831aaeed7b44bb74e5eab94ba9d4294c49bcf2a60728d8b4c200f50dd313c1b"
	  "ab745879a5ad954a72c45a91c3a51d3c7adea98d82f8481e0e1e03674a6f3fb7" },
	{ "0b432b2677937381aef05bb02a66ecd012773062cf3fa2549e44f58ed2401710", true, "25d1dff95105f5253c4022f628a996ad3a0d95fbf21d468a1b33f8c160d8f517",
	  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	  "7eb0509757e246f19449885651611cb965ecc1a187dd51b64fda1edc9637d5ec"
	  "97582b9cb13db3933705b32ba982af5af25fd78881ebb32771fc5922efc66ea3" }, /* test fails if msg is reduced modulo p or n */
	{ NULL, true, "d69c3509bb99e412e68b0fe8544e72837dfa30746d8be2aa65975f29d22dc7b9",
	  "",
	  "4df3c3f68fcc83b27e9d42c90431a72499f17875c81a599b566c9889b9696703",
	  "00000000000000000000003b78ce563f89a0ed9414f5aa28ad0d96d6795f9c63"
	  "76afb1548af603b3eb45c9f8207dee1060cb71c04e80f593060b07d28308d7f4" },
	{ NULL, false, "eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "6cff5c3ba86c69ea4b7376f31a9bcb4f74c1976089b2d9963da2e5543e177769"
	  "69e89b4c5564d00349106b8497785dd7d1d713a8ae82b32fa79d5f7fc407d39b" }, /* public key not on the curve */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "fff97bd5755eeea420453a14355235d382f6472f8568a18b2f057a1460297556"
	  "3cc27944640ac607cd107ae10923d9ef7a73c643e166be5ebeafa34b1ac553e2" }, /* has_even_y(R) is false */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "1fa62e331edbc21c394792d2ab1100a7b432b013df3f6ff4f99fcb33e0e1515f"
	  "28890b3edb6e7189b630448b515ce4f8622a954cfe545735aaea5134fccdb2bd" }, /* negated message */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "6cff5c3ba86c69ea4b7376f31a9bcb4f74c1976089b2d9963da2e5543e177769"
	  "961764b3aa9b2ffcb6ef947b6887a226e8d7c93e00c5ed0c1834ff0d0c2e6da6" }, /* negated s value */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "0000000000000000000000000000000000000000000000000000000000000000"
	  "123dda8328af9c23a94c1feecfd123ba4fb73476f0d594dcb65c6425bd186051" }, /* sG - eP is infinite. Test fails in single verification if has_even_y(inf) is defined as true and x(inf) as 0 */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "0000000000000000000000000000000000000000000000000000000000000001"
	  "7615fbaf5ae28864013c099742deadb4dba87f11ac6754f93780d5a1837cf197" }, /* sG - eP is infinite. Test fails in single verification if has_even_y(inf) is defined as true and x(inf) as 1 */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "4a298dacae57395a15d0795ddbfd1dcb564da82b0f269bc70a74f8220429ba1d"
	  "69e89b4c5564d00349106b8497785dd7d1d713a8ae82b32fa79d5f7fc407d39b" }, /* sig[0:32] is not an X coordinate on the curve */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
	  "69e89b4c5564d00349106b8497785dd7d1d713a8ae82b32fa79d5f7fc407d39b" }, /* sig[0:32] is equal to field size */
	{ NULL, false, "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "6cff5c3ba86c69ea4b7376f31a9bcb4f74c1976089b2d9963da2e5543e177769"
	  "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141" }, /* sig[32:64] is equal to curve order */
	{ NULL, false, "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
	  "",
	  "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
	  "6cff5c3ba86c69ea4b7376f31a9bcb4f74c1976089b2d9963da2e5543e177769"
	  "69e89b4c5564d00349106b8497785dd7d1d713a8ae82b32fa79d5f7fc407d39b" }, /* public key is not a valid X coordinate because it exceeds the field size */
	{ "0340034003400340034003400340034003400340034003400340034003400340", true, "778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "",
	  "71535db165ecd9fbbc046e5ffaea61186bb6ad436732fccc25291a55895464cf"
	  "6069ce26bf03466228f19a3a62db8a649f2d560fac652827d1af0574e427ab63" }, /* message of size 0 (added 2022-12) */
	{ "0340034003400340034003400340034003400340034003400340034003400340", true, "778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "11",
	  "08a20a0afef64124649232e0693c583ab1b9934ae63b4c3511f3ae1134c6a303"
	  "ea3173bfea6683bd101fa5aa5dbc1996fe7cacfc5a577d33ec14564cec2bacbf" }, /* message of size 1 (added 2022-12) */
	{ "0340034003400340034003400340034003400340034003400340034003400340", true, "778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "0102030405060708090a0b0c0d0e0f1011",
	  "5130f39a4059b43bc7cac09a19ece52b5d8699d1a71e3c52da9afdb6b50ac370"
	  "c4a482b77bf960f8681540e25b6771ece1e5a37fd80e5a51897c5566a97ea5a5" }, /* message of size 17 (added 2022-12) */
	{ "0340034003400340034003400340034003400340034003400340034003400340", true, "778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117",
	  "0000000000000000000000000000000000000000000000000000000000000000",
	  "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
	  "9999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
	  "403b12b0d8555a344175ea7ec746566303321e5dbfa8be6f091635163eca79a8"
	  "585ed3e3170807e7c03b720fc54c7b23897fcba0e9d0b4a06894cfd249f22367" }, /* message of size 100 (added 2022-12) */
};

TEST(bip340_vectors)
{
	struct secp *secp = secp_new(blinding);

	for (size_t i = 0; i < ARRAY_COUNT(schnorr); i++) {
		struct bytes message = test_unhex(schnorr[i].message);
		struct xonly p;
		struct sig64 sig;

		memcpy(p.v, test_unhex(schnorr[i].pubkey).data, 32);
		memcpy(sig.v, test_unhex(schnorr[i].sig).data, 64);
		CHECK(schnorr_verify(&sig, message, &p) == schnorr[i].good);
		if (schnorr[i].seckey) {
			struct secret32 k;
			struct pubkey full;
			struct xonly x;

			memcpy(k.v, test_unhex(schnorr[i].seckey).data, 32);
			pubkey_of(secp, &full, &k);
			x = xonly_of(&full);
			CHECK(SAME(x, p));
			if (message.size == 32) {
				schnorr_sign(secp, &sig, message.data, &k, test_unhex(schnorr[i].aux).data);
				CHECK_HEX(BYTES_OF(sig.v), schnorr[i].sig);
			}
		}
	}
	secp_free(secp);
}

TEST(invalid_keys_are_refused)
{
	static const char *const bad_secrets[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	static const char *const bad_points[] = {
		"000000000000000000000000000000000000000000000000000000000000000000",
		"020000000000000000000000000000000000000000000000000000000000000007",
		"02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30",
		"0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		"0679be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
	};

	for (size_t i = 0; i < ARRAY_COUNT(bad_secrets); i++) {
		struct secret32 k;

		memcpy(k.v, test_unhex(bad_secrets[i]).data, 32);
		CHECK(!seckey_valid(&k));
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad_points); i++) {
		struct pubkey p;

		memcpy(p.v, test_unhex(bad_points[i]).data, 33);
		CHECK(!pubkey_valid(&p));
	}
}

/* CVE-2020-26895: a high S is a second form of a good signature, which the network would not relay. */
TEST(high_s_is_refused)
{
	static const char order[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
	struct secp *secp = secp_new(blinding);
	struct secret32 k = { { 1 } }, s;
	struct sha256 h = sha256("x", 1);
	struct pubkey p;
	struct sig64 sig;

	pubkey_of(secp, &p, &k);
	ecdsa_sign(secp, &sig, &h, &k, true);
	CHECK(ecdsa_verify(&sig, &h, &p));
	memcpy(s.v, sig.v + 32, 32);
	seckey_negate(&s); /* order - s */
	memcpy(sig.v + 32, s.v, 32);
	CHECK(!ecdsa_verify(&sig, &h, &p));
	memcpy(sig.v + 32, test_unhex(order).data, 32);
	CHECK(!ecdsa_verify(&sig, &h, &p));
	secp_free(secp);
}

/* Ground signatures have 71 bytes in DER at most with their hash type; plain ones have one more half of the time. */
TEST(grinding_keeps_r_low)
{
	struct secp *secp = secp_new(blinding);
	struct secret32 k = { { 5 } };
	struct pubkey p;
	int longer = 0;

	pubkey_of(secp, &p, &k);
	for (uint8_t i = 0; i < 40; i++) {
		struct sha256 h = sha256(&i, 1);
		struct sig64 sig;
		uint8_t der[72];

		ecdsa_sign(secp, &sig, &h, &k, true);
		CHECK(sig_to_der(der, &sig) <= 70 && ecdsa_verify(&sig, &h, &p));
		ecdsa_sign(secp, &sig, &h, &k, false);
		longer += sig_to_der(der, &sig) > 70;
	}
	CHECK(longer > 5);
	secp_free(secp);
}

TEST(recovery_finds_the_signer)
{
	struct secp *secp = secp_new(blinding);
	struct secret32 k = { { 6 } };
	struct sha256 h = sha256("invoice", 7);
	struct pubkey p, found;
	uint8_t sig[65];

	pubkey_of(secp, &p, &k);
	ecdsa_sign_recoverable(secp, sig, &h, &k);
	CHECK(ecdsa_recover(&found, sig, &h) && SAME(found, p));
	sig[64] ^= 1;
	CHECK(!ecdsa_recover(&found, sig, &h) || !SAME(found, p));
	sig[64] = 4;
	CHECK(!ecdsa_recover(&found, sig, &h));
	secp_free(secp);
}

TEST(tweaks_agree_on_both_halves)
{
	struct secp *secp = secp_new(blinding);
	struct secret32 k = { { 2, 3 } }, product = k, sum = k, shared_a, shared_b, other = { { 4 } };
	struct sha256 t = sha256("tweak", 5);
	struct pubkey p, q, both, by_secret;

	pubkey_of(secp, &p, &k);
	pubkey_of(secp, &q, &other);
	CHECK(seckey_add(&sum, t.v) && pubkey_add(&both, &p, t.v));
	pubkey_of(secp, &by_secret, &sum);
	CHECK(SAME(both, by_secret));
	CHECK(seckey_mul(&product, t.v) && pubkey_mul(&both, &p, t.v));
	pubkey_of(secp, &by_secret, &product);
	CHECK(SAME(both, by_secret));
	CHECK(ecdh(secp, &shared_a, &q, &k) && ecdh(secp, &shared_b, &p, &other) && SAME(shared_a, shared_b));
	/* k + (-k) is no key, P + (-P) no point. */
	sum = k;
	seckey_negate(&sum);
	CHECK(!seckey_add(&sum, k.v));
	q = p;
	q.v[0] ^= 1;
	CHECK(!pubkey_add_point(&both, &p, &q));
	secp_free(secp);
}
