#include "tests/test.h"

#include <string.h>

#include "bitcoin/address.h"
#include "bitcoin/bech32.h"
#include "crypto/hash.h"
#include "crypto/keys.h"
#include "invoice/amount.h"
#include "invoice/invoice.h"
#include "invoice/words.h"

/* BOLT 11 "Examples", typed in. */

static const struct vector {
	const char *title, *text;
	const char *sig, *payload, *hash; /* NULL where the BOLT does not break it down */
} good[] = {
	{ "Please make a donation of any amount using payment_hash 0001020304050607080900010203040506",
	  "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5"
	  "rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrs"
	  "gq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyet"
	  "p5h2tztugp9lfyql",
	  "8d3ce9e28357337f62da0162d9454df827f83cfe499aeb1c1db349d4d81127425e434ca29929406c23bba1ae8ac6ca32"
	  "880b38d4bf6ff874024cac34ba9625f101",
	  "6c6e62630b25fe64500d04444444444444444444444444444444444444444444444444444444444444444021a0000810"
	  "1820283038404800081018202830384048000810182028303840480810343f506c6561736520636f6e73696465722073"
	  "7570706f7274696e6720746869732070726f6a6563740500e08000",
	  "6daf4d488be41ce7cbb487cab1ef2975e5efcea879b20d421f0ef86b07cbb987" },
	{ "Please send $3 for a cup of coffee to the same peer, within one minute",
	  "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsy"
	  "qcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2"
	  "087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh",
	  "e59e3ffbd3945e4334879158d31e89b076dff54f3fa7979ae79df2db9dcaf5896cbfe1a478b8d2307e92c88139464cb7"
	  "e6ef26e414c4abe33337961ddc5e8ab101",
	  "6c6e626332353030750b25fe64500d044444444444444444444444444444444444444444444444444444444444444440"
	  "21a000081018202830384048000810182028303840480008101820283038404808103414312063757020636f66666565"
	  "030041e140382000",
	  "047e24bf270b25d42a56d57b2578faa3a10684641bab817c2851a871cb41dbc0" },
	{ "Please send 0.0025 BTC for a cup of nonsense to the same peer, within one minut",
	  "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsy"
	  "qcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpu9qrsgqhtjpauu9ur7fw2thcl4"
	  "y9vfvh4m9wlfyz2gem29g5ghe2aak2pm3ps8fdhtceqsaagty2vph7utlgj48u0ged6a337aewvraedendscp573dxr",
	  "bae41ef385e0fc972977c7ea42b12cbd76577d2412919da8a8a22f9577b6507710c0e96dd78c821dea16453037f717f4"
	  "4aa7e3d196ebb18fbb97307dcb7336c301",
	  "6c6e626332353030750b25fe64500d044444444444444444444444444444444444444444444444444444444444444440"
	  "21a000081018202830384048000810182028303840480008101820283038404808103420e3838ae383b3e382bbe383b3"
	  "e382b92031e69daf30041e14038200",
	  "f140d992ba419578ba9cfe1af85f92df90a76f442fb5e6e09b1f0582534ba87d" },
	{ "Now send $24 for an entire list of things (hashed)",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqc"
	  "yq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976"
	  "txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38"
	  "gp7ynn44",
	  "f67a5f696648fa4fb102e1a07b230e54722f8e024cee71e80b4847ac191da3fb2d2cdb28cc32344d7e9a9cf5c9b6a0ee"
	  "0582ae46e9938b9c81e344a4dbb5289d01",
	  "6c6e626332306d0b25fe64500d04444444444444444444444444444444444444444444444444444444444444444021a0"
	  "00081018202830384048000810182028303840480008101820283038404808105c343925b6f67e2c340036ed12093dd4"
	  "4e0368df1b6ea26c53dbe4811f58fd5db8c10280704000",
	  "e2ffa444e2979edb639fbdaa384638683ba1a5240b14dd7a150e45a04eea261d" },
	{ "The same, on testnet, with a fallback address mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP",
	  "lntb20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4z"
	  "wqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20"
	  "v6pu37c5d9vax37wxq72un989qrsgqdj545axuxtnfemtpwkc45hx9d2ft7x04mt8q7y6t0k2dge9e7h8kpy9p34ytyslj3y"
	  "u569aalz2xdk8xkd7ltxqld94u8h2esmsmacgpghe9k8",
	  "6ca95a74dc32e69ced6175b15a5cc56a92bf19f5dace0f134b7d94d464b9f5cf6090a18d48b243f289394d17bdf89466"
	  "d8e6b37df5981f696bc3dd5986e1bee101",
	  "6c6e746232306d0b25fe64500d044444444444444444444444444444444444444444444444444444444444444442e1a1"
	  "c92db7b3f161a001b7689049eea2701b46f8db7513629edf2408fac7eaedc60804340001020304050607080900010203"
	  "0405060708090001020304050607080901020484313172b5654f6683c8fb146959d347ce303cae4ca728070400",
	  "33bc6642a336097c74299cadfdfdd2e4884a555cf1b4fda72b095382d473d795" },
	{ "On mainnet, with fallback address 1RustyRX2oai4EYYDpQGWvEL62BBGqN9T with extra routing inf",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqc"
	  "yq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfpp3qjmp7lwp"
	  "agxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqq"
	  "qqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq9"
	  "qrsgqdfjcdk6w3ak5pca9hwfwfh63zrrz06wwfya0ydlzpgzxkn5xagsqz7x9j4jwe7yj7vaf2k9lqsdk45kts2fd0fkr28a"
	  "m0u4w95tt2nsq76cqw0",
	  "6a6586db4e8f6d40e3a5bb92e4df5110c627e9ce493af237e20a046b4e86ea200178c59564ecf892f33a9558bf041b6a"
	  "d2cb8292d7a6c351fbb7f2ae2d16b54e00",
	  "6c6e626332306d0b25fe64500d04444444444444444444444444444444444444444444444444444444444444444021a0"
	  "00081018202830384048000810182028303840480008101820283038404808105c343925b6f67e2c340036ed12093dd4"
	  "4e0368df1b6ea26c53dbe4811f58fd5db8c104843104b61f7dc1ea0dc99424464cc4064dc564d91e891948053c075203"
	  "70aa69fe3d258878e8863ef9ce408c0c1f9ef52b86fc291ef18ee4aa020406080a0c0e1000000002000000280006073c"
	  "07520370aa69fe3d258878e8863ef9ce408c0c1f9ef52b86fc291ef18ee4aa06080a0c0e101214000000040000003c00"
	  "080500e08000",
	  "b342d4655b984e53f405fe4d872fb9b7cf54ba538fcd170ed4a5906a9f535064" },
	{ "On mainnet, with fallback (P2SH) address 3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4z"
	  "wqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfppj3a24vwu6"
	  "r8ejrss3axul8rxldph2q7z99qrsgqz6qsgww34xlatfj6e3sngrwfy3ytkt29d2qttr8qz2mnedfqysuqypgqex4haa2h8f"
	  "x3wnypranf3pdwyluftwe680jjcfp438u82xqphf75ym",
	  "16810439d1a9bfd5a65acc61340dc92448bb2d456a80b58ce012b73cb5202438020500c9ab7ef5573a4d174c811f6698"
	  "85ae27f895bb3a3be52c243589f8751801",
	  "6c6e626332306d0b25fe64500d044444444444444444444444444444444444444444444444444444444444444442e1a1"
	  "c92db7b3f161a001b7689049eea2701b46f8db7513629edf2408fac7eaedc60804340001020304050607080900010203"
	  "0405060708090001020304050607080901020484328f55563b9a19f321c211e9b9f38cdf686ea0784528070400",
	  "9e93321a775f7dffdca03e61d1ac6e0e356cc63cecd3835271200c1e5b499d29" },
	{ "On mainnet, with fallback (P2WPKH) address bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4z"
	  "wqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfppqw508d6qe"
	  "jxtdg4y5r3zarvary0c5xw7k9qrsgqt29a0wturnys2hhxpner2e3plp6jyj8qx7548zr2z7ptgjjc7hljm98xhjym0dg52s"
	  "drvqamxdezkmqg4gdrvwwnf0kv2jdfnl4xatsqmrnsse",
	  "5a8bd7b97c1cc9055ee60cf2356621f8752248e037a953886a1782b44a58f5ff2d94e6bc89b7b514541a3603bb33722b"
	  "6c08aa1a3639d34becc549a99fea6eae00",
	  "6c6e626332306d0b25fe64500d044444444444444444444444444444444444444444444444444444444444444442e1a1"
	  "c92db7b3f161a001b7689049eea2701b46f8db7513629edf2408fac7eaedc60804340001020304050607080900010203"
	  "040506070809000102030405060708090102048420751e76e8199196d454941c45d1b3a323f1433bd628070400",
	  "44fbec32cdac99a1a3cd638ec507dad633a1e5bba514832fd3471e663a157f7b" },
	{ "On mainnet, with fallback (P2WSH) address bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccef",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4z"
	  "wqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfp4qrp33g0q5"
	  "c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q9qrsgq9vlvyj8cqvq6ggvpwd53jncp9nwc47xlrsnenq2zp70fq8"
	  "3qlgesn4u3uyf4tesfkkwwfg3qs54qe426hp3tz7z6sweqdjg05axsrjqp9yrrwc",
	  "2b3ec248f80301a421817369194f012cdd8af8df1c279981420f9e901e20fa3309d791e11355e609b59ce4a220852a0c"
	  "d55ab862b1785a83b206c90fa74d01c801",
	  "6c6e626332306d0b25fe64500d044444444444444444444444444444444444444444444444444444444444444442e1a1"
	  "c92db7b3f161a001b7689049eea2701b46f8db7513629edf2408fac7eaedc60804340001020304050607080900010203"
	  "0405060708090001020304050607080901020486a01863143c14c5166804bd19203356da136c985678cd4d27a1b8c632"
	  "96049032620280704000",
	  "865a2cc6730e1eeeacd30e6da8e9ab0e9115828d27953ec0c0f985db05da5027" },
	{ "On mainnet, with fallback (P2TR) address bc1pptdvg0d2nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpq",
	  "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqc"
	  "yq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfp4pptdvg0d2"
	  "nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpqjz2kszs9qrsgqy606dznq28exnydt2r4c29y56xjtn3sk4mhgjtl4pg2y4a"
	  "r3249rq4ajlmj9jy8zvlzw7cr8mggqzm842xfr0v72rswzq9xvr4hknfsqwmn6xd",
	  "269fa68a6051f26991ab50eb851494d1a4b9c616aeee892ff50a144af471554a3057b2fee45910e267c4ef6067da1001"
	  "6cf5519237b3ca1c1c2014cc1d6f69a600",
	  "6c6e626332306d0b25fe64500d04444444444444444444444444444444444444444444444444444444444444444021a0"
	  "00081018202830384048000810182028303840480008101820283038404808105c343925b6f67e2c340036ed12093dd4"
	  "4e0368df1b6ea26c53dbe4811f58fd5db8c10486a10adac43daa9c8a5a68e09ea10692b82226ee190e572db9b90e17a4"
	  "10484ab4050280704000",
	  "116fdb0f18352c886deb263f6466eb40e5e6518b80231a1f9df86088bfa48043" },
	{ "Please send 0.00967878534 BTC for a list of items within one week, amount in pico-BTC",
	  "lnbc9678785340p1pwmna7lpp5gc3xfm08u9qy06djf8dfflhugl6p7lgza6dsjxq454gxhj9t7a0sd8dgfkx7cmtwd68yet"
	  "pd5s9xar0wfjn5gpc8qhrsdfq24f5ggrxdaezqsnvda3kkum5wfjkzmfqf3jkgem9wgsyuctwdus9xgrcyqcjcgpzgfskx6e"
	  "qf9hzqnteypzxz7fzypfhg6trddjhygrcyqezcgpzfysywmm5ypxxjemgw3hxjmn8yptk7untd9hxwg3q2d6xjcmtv4ezq7p"
	  "qxgsxzmnyyqcjqmt0wfjjq6t5v4khxsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygsxqyjw5qcqp2"
	  "rzjq0gxwkzc8w6323m55m4jyxcjwmy7stt9hwkwe2qxmy8zpsgg7jcuwz87fcqqeuqqqyqqqqlgqqqqn3qq9q9qrsgqrvgkp"
	  "nmps664wgkp43l22qsgdw4ve24aca4nymnxddlnp8vh9v2sdxlu5ywdxefsfvm0fq3sesf08uf6q9a2ke0hc9j6z6wlxg5z5"
	  "kqpu2v9wz",
	  NULL, NULL, NULL },
	{ "Please send $30 for coffee beans to the same peer, which supports features 8, 14 and 99, u",
	  "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5"
	  "zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2a25dxl5hrntdtn6zvydt"
	  "7d66hyzsyhqs4wdynavys42xgl6sgx9c4g7me86a27t07mdtfry458rtjr0v92cnmswpsjscgt2vcse3sgpz3uapa",
	  NULL, NULL, NULL },
	{ "Same, but all upper case.",
	  "LNBC25M1PVJLUEZPP5QQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQYPQDQ5VDHKVEN9V5SXYETPDEESSP5"
	  "ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYGS9Q5SQQQQQQQQQQQQQQQQSGQ2A25DXL5HRNTDTN6ZVYDT"
	  "7D66HYZSYHQS4WDYNAVYS42XGL6SGX9C4G7ME86A27T07MDTFRY458RTJR0V92CNMSWPSJSCGT2VCSE3SGPZ3UAPA",
	  NULL, NULL, NULL },
	{ "Same, but including fields which must be ignored.",
	  "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5"
	  "zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2qrqqqfppnqqqqqqqqqqq"
	  "qqqqqqqqqqqqqqqqqqqqqppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpp4qqqqqqqqqqqqqqqqqq"
	  "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhpnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhp4qqqq"
	  "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqspnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
	  "qqqqqqqsp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnp5qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
	  "qqqqqqqqqqqqqqqqqqqqqqnpkqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqz599y53s3ujmcfjp5"
	  "xrdap68qxymkqphwsexhmhr8wdz5usdzkzrse33chw6dlp3jhuhge9ley7j2ayx36kawe7kmgg8sv5ugdyusdcqzn8z9x",
	  NULL, NULL, NULL },
	{ "Please send 0.01 BTC with payment metadata 0x01fafaf0",
	  "lnbc10m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdp9wpshjmt9de6zqmt9w3skgct"
	  "5vysxjmnnd9jx2mq8q8a04uqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q2gqqqqqqsgq7hf8"
	  "he7ecf7n4ffphs6awl9t6676rrclv9ckg3d3ncn7fct63p6s365duk5wrk202cfy3aj5xnnp5gs3vrdvruverwwq7yzhkf5a"
	  "3xqpd05wjc",
	  NULL, NULL, NULL },
	{ "Public-key recovery with high-S signature",
	  "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5"
	  "rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrs"
	  "gq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap2r09nt4ndd0unm3z9u5t48y6ucv4r5sg7lk98c77ctv"
	  "jczkspk5qprc90gx",
	  "8d3ce9e28357337f62da0162d9454df827f83cfe499aeb1c1db349d4d8112742a1bcb35d66d6bf93dc445e51753935cc"
	  "32a3a411efd8a7c7bd85b25815a01b5001",
	  "6c6e62630b25fe64500d04444444444444444444444444444444444444444444444444444444444444444021a0000810"
	  "1820283038404800081018202830384048000810182028303840480810343f506c6561736520636f6e73696465722073"
	  "7570706f7274696e6720746869732070726f6a6563740500e08000",
	  "6daf4d488be41ce7cbb487cab1ef2975e5efcea879b20d421f0ef86b07cbb987" },
};

static const struct {
	const char *title, *why, *text; /* why: part of our reason; NULL: it decodes, and may not be paid */
} bad[] = {
	{ "Same, but adding invalid unknown feature 100", NULL,
	  "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5"
	  "zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q4psqqqqqqqqqqqqqqqqsgqtqyx5vggfcsll4wu246h"
	  "z02kp85x4katwsk9639we5n5yngc3yhqkm35jnjw4len8vrnqnf5ejh0mzj9n3vz2px97evektfm2l6wqccp3y7372" },
	{ "Bech32 checksum is invalid.", "checksum",
	  "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78"
	  "q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tft"
	  "c9c5fh0nnqpnl2jfll544esqchsrnt" },
	{ "Malformed bech32 string (no 1)", "not bech32",
	  "pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d"
	  "0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnq"
	  "pnl2jfll544esqchsrny" },
	{ "Malformed bech32 string (mixed case)", "not bech32",
	  "LNBC2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78"
	  "q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tft"
	  "c9c5fh0nnqpnl2jfll544esqchsrny" },
	{ "Signature is not recoverable.", "signature is not valid",
	  "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsx"
	  "qzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqwgt7mcn5yqw3yx0w94pswkpq6j9uh6x"
	  "fqqqtsk4tnarugeektd4hg5975x9am52rz4qskukxdmjemg92vvqz8nvmsye63r5ykel43pgz7zq0g2" },
	{ "String is too short.", "cut short",
	  "lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjyp"
	  "eh2ursdae8g6na6hlh" },
	{ "Invalid multiplier", "multiplier",
	  "lnbc2500x1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsx"
	  "qzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqrrzc4cvfue4zp3hggxp47ag7xnrlr8v"
	  "gcmkjxk3j5jqethnumgkpqp23z9jclu3v0a7e0aruz366e9wqdykw6dxhdzcjjhldxq0w6wgqcnu43j" },
	{ "Invalid sub-millisatoshi precision.", "whole number of millisatoshi",
	  "lnbc2500000001p1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7en"
	  "xv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgq0lzc236j96a95uv0m3umg28gc"
	  "lm5lqxtqqwk32uuk4k6673k6n5kfvx3d2h8s295fad45fdhmusm8sjudfhlf6dcsxmfvkeywmjdkxcp99202x" },
	{ "Missing required `s` field.", "no payment secret",
	  "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4z"
	  "wqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxry"
	  "dzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp49qdkj" },
	{ "Non canonical signature (high-S) with 'n' field defined", "not the payee's",
	  "lnbc25m1p70xwfzpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kget"
	  "jypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaqnp4q0n326hr8v9zprg8gsvezcch06gfaqqhde2aj730yg0durunfhv66"
	  "sp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3"
	  "zyg3zyg3zyg3zyg3zygsp5cfzp9ugllvk03rltd6hvndxj26ux6gcxc5azyxk060rj9tzghct5zvjlps76gx8wpq5yuu7968"
	  "8k8gnm2c0al6v608s96l0xzrrlqqwnzxmu" },
};

#define PAYEE "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad"
#define PRIVATE_KEY "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734"
#define HASH "0001020304050607080900010203040506070809000102030405060708090102"
#define SECRET "1111111111111111111111111111111111111111111111111111111111111111"
#define LIST_HASH "3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1"

enum { DONATION, COFFEE, NONSENSE, LIST, TESTNET, ROUTES, P2SH, P2WPKH, P2WSH, P2TR, PICO, BEANS, UPPER, IGNORED,
       METADATA, HIGH_S };

static struct arena arena;
static struct feature_policy policy;
static const char *why;

static void start(void)
{
	arena_init(&arena);
	policy = feature_policy_default();
	why = NULL;
}

static void finish(void)
{
	arena_release(&arena);
}

static bool decode(struct invoice *i, const char *text)
{
	return invoice_decode(&arena, i, &why, NULL, bytes_from_string(text));
}

static struct secret32 private_key(void)
{
	struct secret32 k;

	memcpy(k.v, test_unhex(PRIVATE_KEY).data, 32);
	return k;
}

/* Signs what a draft asks for and returns the text. */
static const char *sign(const struct invoice_draft *d)
{
	struct sha256 h = sha256(d->payload.data, d->payload.size);
	struct secret32 k = private_key();
	uint8_t seed[32] = { 3 }, sig[65];
	struct secp *secp = secp_new(seed);
	struct buf text = BUF_EMPTY;
	const char *s;

	ecdsa_sign_recoverable(secp, sig, &h, &k);
	secp_free(secp);
	invoice_finish(d, sig, &text);
	buf_add_u8(&text, 0);
	s = arena_string(&arena, (const char *)text.data);
	buf_release(&text);
	return s;
}

static const char *encode(const struct invoice *i)
{
	struct invoice_draft d;

	if (!invoice_draft(&arena, &d, &why, i))
		return NULL;
	return sign(&d);
}

TEST(examples_decode)
{
	start();
	for (size_t k = 0; k < ARRAY_COUNT(good); k++) {
		struct invoice i;

		CHECK(decode(&i, good[k].text)); /* B11.encoding_overview.3: one of them is all upper case */
		/* B11.data_part.3: or another key would come out.  The example with a high S keeps the recovery id of
		 * its low twin, so its key is another one indeed. */
		if (k == HIGH_S)
			CHECK_HEX(BYTES_OF(i.payee.v), "02d0139ce7427d6dfffd26a326c18be754ef1e64672b42694ba5b23ef6e6e7803d");
		else
			CHECK_HEX(BYTES_OF(i.payee.v), PAYEE);
		CHECK_HEX(BYTES_OF(i.payment_secret.v), SECRET); /* B11.tagged_fields.28 */
		CHECK(!i.payee_named);
		if (good[k].sig) {
			struct bytes sig = test_unhex(good[k].sig), payload = test_unhex(good[k].payload);
			struct sha256 h = sha256(payload.data, payload.size);

			CHECK(memcmp(i.signature.v, sig.data, 64) == 0 && i.recovery_id == sig.data[64]);
			CHECK_HEX(BYTES_OF(i.hash.v), good[k].hash);
			CHECK(SAME(h, i.hash));
		}
		CHECK_EQ(invoice_payable(&arena, &i, &policy, i.timestamp_s, &why), k != IGNORED);
	}
	finish();
}

TEST(donation)
{
	struct invoice i;

	start();
	CHECK(decode(&i, good[DONATION].text));
	CHECK(i.network == network_by_name("bitcoin"));
	CHECK(!i.has_amount); /* B11.human_readable_part.7 */
	CHECK_EQ(i.timestamp_s, 1496314658);
	CHECK_EQ(i.expiry_s, 3600);
	CHECK_EQ(i.min_final_cltv, 18); /* B11.tagged_fields.29 */
	CHECK_HEX(BYTES_OF(i.payment_hash.v), HASH);
	CHECK(i.has_description && !i.has_metadata && i.route_count == 0 && i.fallback_count == 0);
	CHECK(bytes_equal(i.description, bytes_from_string("Please consider supporting this project")));
	CHECK_HEX(features_trimmed(i.features), "4100");
	CHECK(!invoice_allows_parts(&i)); /* B11.feature_bits.3 */
	finish();
}

TEST(amounts_descriptions_expiry)
{
	struct invoice i;

	start();
	CHECK(decode(&i, good[COFFEE].text));
	CHECK(i.has_amount && i.amount.v == 250000000); /* B11.human_readable_part.9 */
	CHECK_EQ(i.expiry_s, 60);
	CHECK(invoice_describes(&i, bytes_from_string("1 cup coffee")));
	CHECK(!invoice_describes(&i, bytes_from_string("2 cups coffee")));
	CHECK(decode(&i, good[NONSENSE].text));
	CHECK_HEX(i.description, "e3838ae383b3e382bbe383b3e382b92031e69daf");
	CHECK(decode(&i, good[LIST].text));
	CHECK_EQ(i.amount.v, 2000000000);
	CHECK(!i.has_description);
	CHECK_HEX(BYTES_OF(i.description_hash.v), LIST_HASH);
	/* B11.tagged_fields.23 */
	CHECK(invoice_describes(&i, bytes_from_string(
		"One piece of chocolate cake, one icecream cone, one pickle, one slice of swiss cheese, one slice of "
		"salami, one lollypop, one piece of cherry pie, one sausage, one cupcake, and one slice of watermelon")));
	CHECK(!invoice_describes(&i, bytes_from_string("One piece of chocolate cake")));
	CHECK(decode(&i, good[PICO].text));
	CHECK_EQ(i.amount.v, 967878534);
	CHECK_EQ(i.timestamp_s, 1572468703);
	CHECK_EQ(i.expiry_s, 604800);
	CHECK_EQ(i.min_final_cltv, 10);
	CHECK_HEX(BYTES_OF(i.payment_hash.v), "462264ede7e14047e9b249da94fefc47f41f7d02ee9b091815a5506bc8abf75f");
	finish();
}

TEST(fallbacks)
{
	static const struct {
		int vector;
		const char *address;
	} cases[] = {
		{ TESTNET, "mk2QpYatsKicvFVuTAQLBryyccRXMUaGHP" }, { ROUTES, "1RustyRX2oai4EYYDpQGWvEL62BBGqN9T" },
		{ P2SH, "3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX" }, { P2WPKH, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" },
		{ P2WSH, "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3" },
		{ P2TR, "bc1pptdvg0d2nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpqjz2kszse2s3lm" },
	};
	struct invoice i;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
		char text[ADDRESS_SIZE];

		CHECK(decode(&i, good[cases[k].vector].text));
		CHECK_EQ(i.fallback_count, 1);
		CHECK(address_encode(text, i.network, i.fallbacks[0]));
		CHECK_STR(text, cases[k].address);
	}
	/* B11.tagged_fields.17: version 19 */
	CHECK(decode(&i, good[IGNORED].text));
	CHECK_EQ(i.fallback_count, 0);
	finish();
}

TEST(routes)
{
	struct invoice i;

	start();
	CHECK(decode(&i, good[ROUTES].text));
	CHECK_EQ(i.route_count, 1);
	CHECK_EQ(i.routes[0].hop_count, 2);
	CHECK_HEX(BYTES_OF(i.routes[0].hops[0].node.v), "029e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255");
	CHECK(i.routes[0].hops[0].scid.v == scid_make(66051, 263430, 1800).v);
	CHECK_EQ(i.routes[0].hops[0].fee_base_msat, 1);
	CHECK_EQ(i.routes[0].hops[0].fee_proportional_millionths, 20);
	CHECK_EQ(i.routes[0].hops[0].cltv_expiry_delta, 3);
	CHECK_HEX(BYTES_OF(i.routes[0].hops[1].node.v), "039e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255");
	CHECK(i.routes[0].hops[1].scid.v == scid_make(197637, 395016, 2314).v);
	CHECK_EQ(i.routes[0].hops[1].fee_base_msat, 2);
	CHECK_EQ(i.routes[0].hops[1].fee_proportional_millionths, 30);
	CHECK_EQ(i.routes[0].hops[1].cltv_expiry_delta, 4);
	CHECK(decode(&i, good[PICO].text));
	CHECK(i.route_count == 1 && i.routes[0].hops[0].scid.v == scid_make(589390, 3312, 1).v);
	CHECK_EQ(i.routes[0].hops[0].fee_proportional_millionths, 2500);
	finish();
}

TEST(features_and_metadata)
{
	struct invoice i;

	start();
	CHECK(decode(&i, good[BEANS].text));
	CHECK(features_bit(i.features, 8) && features_bit(i.features, 14) && features_bit(i.features, 99));
	CHECK(invoice_payable(&arena, &i, &policy, i.timestamp_s, &why)); /* B11.tagged_fields.20: 99 is odd */
	CHECK(decode(&i, good[METADATA].text));
	CHECK(i.has_metadata);
	CHECK_HEX(i.metadata, "01fafaf0"); /* B11.tagged_fields.30 */
	CHECK(features_bit(i.features, 48));
	/* high S, no n */
	CHECK(decode(&i, good[HIGH_S].text)); /* B11.tagged_fields.26 */
	finish();
}

/* The BOLT's own conflict: its example ignores fields of wrong length, its requirement refuses to pay.  Both hold. */
TEST(wrong_lengths_can_be_read_not_paid)
{
	struct invoice i;

	start();
	CHECK(decode(&i, good[IGNORED].text));
	CHECK_HEX(BYTES_OF(i.payment_hash.v), HASH); /* B11.payer_payee_requirements.3: the first */
	CHECK(i.has_description && i.bad_length);
	CHECK_EQ(i.unknown_count, 1);
	CHECK(i.unknown[0].letter == '2' && i.unknown[0].data5.size == 3);
	CHECK(!invoice_payable(&arena, &i, &policy, i.timestamp_s, &why)); /* B11.tagged_fields.18 */
	CHECK(strstr(why, "wrong length"));
	finish();
}

TEST(invalid_examples)
{
	struct invoice i;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(bad); k++) {
		if (bad[k].why) {
			/* B11.encoding_overview.4 is one, B11.human_readable_part.8 (multiplier),
			 * B11.human_readable_part.10 (pico), B11.tagged_fields.27 (no s) and
			 * B11.tagged_fields.25 (high S with n) are others. */
			CHECK(!decode(&i, bad[k].text));
			CHECK(why && strstr(why, bad[k].why));
			continue;
		}
		CHECK(decode(&i, bad[k].text));
		CHECK(!invoice_payable(&arena, &i, &policy, i.timestamp_s, &why)); /* B11.tagged_fields.21 */
		CHECK(strstr(why, "100")); /* B11.tagged_fields.22 */
	}
	finish();
}

static void base(struct invoice *i)
{
	invoice_init(i, network_by_name("bitcoin"));
	i->timestamp_s = 1496314658;
	memcpy(i->payment_hash.v, test_unhex(HASH).data, 32);
	memcpy(i->payment_secret.v, test_unhex(SECRET).data, 32);
	i->has_description = true;
	i->description = bytes_from_string("Please consider supporting this project");
	i->features = test_unhex("4100");
	i->min_final_cltv = 0;
}

static void check_text(const struct invoice *i, int vector)
{
	const char *text = encode(i);

	CHECK(text != NULL);
	CHECK_STR(text, good[vector].text);
}

/* What we write is letter for letter what the BOLT writes. */
TEST(examples_encode)
{
	struct invoice i;
	struct invoice_draft d;
	struct invoice_hop hops[2] = {
		{ .scid = scid_make(66051, 263430, 1800), .fee_base_msat = 1, .fee_proportional_millionths = 20,
		  .cltv_expiry_delta = 3 },
		{ .scid = scid_make(197637, 395016, 2314), .fee_base_msat = 2, .fee_proportional_millionths = 30,
		  .cltv_expiry_delta = 4 },
	};
	struct invoice_route route = { hops, 2 };
	struct bytes fallback;

	start();
	base(&i);
	CHECK(invoice_draft(&arena, &d, &why, &i));
	CHECK_HEX(d.payload, good[DONATION].payload); /* B11.data_part.2 */
	/* B11.encoding_overview.1, B11.human_readable_part.1, B11.data_part.1, B11.tagged_fields.1,
	 * B11.tagged_fields.2, B11.tagged_fields.13, B11.tagged_fields.15 */
	check_text(&i, DONATION);
	i.has_amount = true;
	i.amount = MSAT(250000000);
	i.description = bytes_from_string("1 cup coffee");
	i.expiry_s = 60;
	/* B11.human_readable_part.2 (the amount is there), B11.human_readable_part.3, B11.human_readable_part.5,
	 * B11.tagged_fields.7: 60 in two values */
	check_text(&i, COFFEE);
	i.description = test_unhex("e3838ae383b3e382bbe383b3e382b92031e69daf");
	check_text(&i, NONSENSE);
	i.expiry_s = 3600;
	i.has_description = false;
	memcpy(i.description_hash.v, test_unhex(LIST_HASH).data, 32);
	i.amount = MSAT(2000000000);
	check_text(&i, LIST); /* B11.tagged_fields.4: h, and no d */
	memcpy(hops[0].node.v, test_unhex("029e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255").data, 33);
	memcpy(hops[1].node.v, test_unhex("039e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255").data, 33);
	CHECK(address_decode(&arena, &fallback, &why, i.network, bytes_from_string("1RustyRX2oai4EYYDpQGWvEL62BBGqN9T")));
	i.fallbacks = &fallback;
	i.fallback_count = 1;
	i.routes = &route;
	i.route_count = 1;
	check_text(&i, ROUTES); /* B11.tagged_fields.11, B11.tagged_fields.12: the hops in order */
	finish();
}

static void check_same(const struct invoice *x, const struct invoice *y)
{
	CHECK(x->network == y->network && x->has_amount == y->has_amount && x->amount.v == y->amount.v);
	CHECK(x->timestamp_s == y->timestamp_s && x->expiry_s == y->expiry_s && x->min_final_cltv == y->min_final_cltv);
	CHECK(SAME(x->payment_hash, y->payment_hash) && SAME(x->payment_secret, y->payment_secret));
	CHECK(x->has_description == y->has_description && bytes_equal(x->description, y->description));
	CHECK(SAME(x->description_hash, y->description_hash));
	CHECK(x->has_metadata == y->has_metadata && bytes_equal(x->metadata, y->metadata));
	CHECK(features_equal(x->features, y->features) && SAME(x->payee, y->payee) && x->payee_named == y->payee_named);
	CHECK(x->fallback_count == y->fallback_count && x->route_count == y->route_count);
	for (uint32_t k = 0; k < x->fallback_count; k++)
		CHECK(bytes_equal(x->fallbacks[k], y->fallbacks[k]));
	for (uint32_t k = 0; k < x->route_count; k++) {
		CHECK_EQ(x->routes[k].hop_count, y->routes[k].hop_count);
		for (uint32_t h = 0; h < x->routes[k].hop_count; h++)
			CHECK(SAME(x->routes[k].hops[h].node, y->routes[k].hops[h].node) &&
			      x->routes[k].hops[h].scid.v == y->routes[k].hops[h].scid.v);
	}
}

TEST(everything_round_trips)
{
	static const char *const addresses[] = {
		"bc1pptdvg0d2nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpqjz2kszse2s3lm", "3EktnHQD7RiAE6uzMj2ZifT9YgRrkSgzQX",
		"bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3", "1RustyRX2oai4EYYDpQGWvEL62BBGqN9T",
	};
	struct invoice i, j;
	struct bytes fallbacks[4];
	struct invoice_hop hops[12];
	struct invoice_route routes[2] = { { hops, 1 }, { hops, 12 } };
	const char *text;

	start();
	for (size_t k = 0; k < ARRAY_COUNT(good); k++) {
		CHECK(decode(&i, good[k].text));
		text = encode(&i);
		CHECK(text && decode(&j, text));
		memcpy(i.payee.v, test_unhex(PAYEE).data, 33); /* now it is signed by this key */
		check_same(&i, &j);
	}
	base(&i);
	for (size_t k = 0; k < ARRAY_COUNT(addresses); k++)
		CHECK(address_decode(&arena, &fallbacks[k], &why, i.network, bytes_from_string(addresses[k])));
	memset(hops, 0, sizeof(hops));
	for (uint32_t k = 0; k < 12; k++) {
		memcpy(hops[k].node.v, test_unhex(PAYEE).data, 33);
		hops[k].scid = scid_make(k + 1, 2, 3);
	}
	i.fallbacks = fallbacks;
	i.fallback_count = 4;
	i.routes = routes;
	i.route_count = 2;
	i.expiry_s = 0;
	i.min_final_cltv = 2016;
	i.has_amount = true;
	i.amount = MSAT(1);
	i.has_metadata = true;
	i.metadata = BYTES("m", 1);
	i.payee_named = true;
	memcpy(i.payee.v, test_unhex(PAYEE).data, 33);
	i.features = test_unhex("024100");
	text = encode(&i);
	CHECK(text && strncmp(text, "lnbc10p1", 8) == 0); /* B11.human_readable_part.4 */
	CHECK(decode(&j, text));
	/* B11.tagged_fields.8, B11.tagged_fields.9 (c), B11.tagged_fields.10 (n), B11.tagged_fields.16: the order
	 * of fallbacks and of routes */
	check_same(&i, &j);
	CHECK(invoice_allows_parts(&j));
	finish();
}

/* A writer's rules: what breaks them is refused before it is signed. */
TEST(bad_invoices_are_not_written)
{
	static const char long_text[] = "................................................................................"
		"................................................................................................"
		"................................................................................................"
		"................................................................................................"
		"................................................................................................"
		"................................................................................................"
		"................................................................................................";
	struct invoice i;
	struct invoice_hop hops[13];
	struct invoice_route route = { hops, 13 };
	struct bytes script = BYTES("\x6a\x01\x01", 3);
	struct invoice_draft d;

	start();
	base(&i);
	i.description = BYTES(long_text, 639);
	CHECK(invoice_draft(&arena, &d, &why, &i));
	i.description = BYTES(long_text, 640);
	CHECK(!invoice_draft(&arena, &d, &why, &i) && strstr(why, "639"));
	i.description = BYTES("\xff", 1);
	CHECK(!invoice_draft(&arena, &d, &why, &i) && strstr(why, "UTF-8")); /* B11.tagged_fields.4 */
	base(&i);
	i.has_amount = true;
	CHECK(!invoice_draft(&arena, &d, &why, &i)); /* B11.human_readable_part.3: positive */
	i.amount = MSAT(SUPPLY_SAT * 1000 + 1);
	CHECK(!invoice_draft(&arena, &d, &why, &i));
	base(&i);
	memset(hops, 0, sizeof(hops));
	i.routes = &route;
	i.route_count = 1;
	CHECK(!invoice_draft(&arena, &d, &why, &i) && strstr(why, "12"));
	route.hop_count = 0;
	CHECK(!invoice_draft(&arena, &d, &why, &i));
	base(&i);
	i.fallbacks = &script;
	i.fallback_count = 1;
	CHECK(!invoice_draft(&arena, &d, &why, &i)); /* B11.tagged_fields.11 */
	base(&i);
	i.features = test_unhex("020000"); /* basic_mpp alone */
	CHECK(!invoice_draft(&arena, &d, &why, &i)); /* B11.feature_bits.1 */
	base(&i);
	i.features = test_unhex("0000");
	CHECK(invoice_draft(&arena, &d, &why, &i));
	for (size_t k = TIMESTAMP_WORDS; k < d.count; k += 3u + ((size_t)d.data5[k + 1] << 5 | d.data5[k + 2]))
		CHECK(d.data5[k] != TAG_FEATURES); /* B11.tagged_fields.14 */
	finish();
}

TEST(human_readable_parts)
{
	static const struct {
		const char *hrp, *network;
		uint64_t msat; /* 0: none */
	} cases[] = {
		{ "lnbc", "bitcoin", 0 }, { "lntb", "testnet", 0 }, { "lntbs", "signet", 0 }, { "lnbcrt", "regtest", 0 },
		{ "lnbc1", "bitcoin", 100000000000ull }, { "lnbc20m", "bitcoin", 2000000000 },
		{ "lnbc2500u", "bitcoin", 250000000 }, { "lnbc1n", "bitcoin", 100 }, { "lnbc10p", "bitcoin", 1 },
		{ "lnbcrt1u", "regtest", 100000 }, { "lntbs7n", "signet", 700 }, { "lnbc5m", "bitcoin", 500000000 },
		{ "lnbc21000000", "bitcoin", SUPPLY_SAT * 1000 }, { "lnbc12340p", "bitcoin", 1234 },
	};
	/* B11.human_readable_part.6: prefixes; B11.human_readable_part.8: what is no number or no multiplier */
	static const char *const wrong[] = {
		"ln", "lnxx", "lnbcr", "bc", "lnb", "lnltc1", "lnbc1x", "lnbc1mm", "lnbc1m1", "lnbc1 m", "lnbcm", "lnbc01m",
		"lnbc0", "lnbc0m", "lnbc1p", "lnbc11p", "lnbc21000001", "lnbc99999999999999999999", "lnbc18446744073709551617m",
		"lnbc21000000000000000010p0", "lnbc1.5m", "lnbc-1m",
	};
	const struct network *n;
	struct amount_msat amount;
	bool has;

	for (size_t k = 0; k < ARRAY_COUNT(cases); k++) {
		struct buf b = BUF_EMPTY;

		CHECK(invoice_hrp_decode(&n, &has, &amount, &why, NULL, cases[k].hrp));
		CHECK_STR(n->name, cases[k].network);
		CHECK_EQ(has, cases[k].msat != 0);
		CHECK(amount.v == cases[k].msat);
		invoice_hrp_encode(&b, n, has, amount);
		buf_add_u8(&b, 0);
		CHECK_STR((const char *)b.data, cases[k].hrp); /* B11.human_readable_part.5 */
		buf_release(&b);
	}
	for (size_t k = 0; k < ARRAY_COUNT(wrong); k++)
		CHECK(!invoice_hrp_decode(&n, &has, &amount, &why, NULL, wrong[k]));
	/* The rationale: longer forms than needed are in the wild. */
	CHECK(invoice_hrp_decode(&n, &has, &amount, &why, NULL, "lnbc1000u") && amount.v == 100000000);
	/* The caller's network settles a shared prefix, and refuses another one. */
	CHECK(invoice_hrp_decode(&n, &has, &amount, &why, network_by_name("testnet4"), "lntb1m"));
	CHECK_STR(n->name, "testnet4");
	CHECK(!invoice_hrp_decode(&n, &has, &amount, &why, network_by_name("signet"), "lntb1m"));
	CHECK(!invoice_hrp_decode(&n, &has, &amount, &why, network_by_name("testnet"), "lntbs1m"));
	CHECK(!invoice_hrp_decode(&n, &has, &amount, &why, network_by_name("bitcoin"), "lnbcrt1m"));
}

/* Invoices of our own making that break one rule each: data words are appended to those of a draft. */
static bool decode_with(struct invoice *out, uint8_t tag, const uint8_t *words, size_t count, bool drop_description)
{
	struct invoice i;
	struct invoice_draft d;
	struct buf b = BUF_EMPTY, payload = BUF_EMPTY;
	bool good_one;

	base(&i);
	i.description = bytes_from_string("x");
	i.features = BYTES_NONE;
	CHECK(invoice_draft(&arena, &d, &why, &i));
	/* d is the last field of this draft: three words of head, and two for one byte */
	buf_add(&b, d.data5, d.count - (drop_description ? 5 : 0));
	if (tag) {
		buf_add_u8(&b, tag);
		buf_add_u8(&b, (uint8_t)(count >> 5));
		buf_add_u8(&b, (uint8_t)(count & 31));
		buf_add(&b, words, count);
	}
	buf_add_string(&payload, d.hrp);
	CHECK(bech32_convert_bits(&payload, 8, b.data, b.size, 5, true));
	d.data5 = b.data;
	d.count = b.size;
	d.payload = buf_view(&payload);
	good_one = decode(out, sign(&d));
	buf_release(&b);
	buf_release(&payload);
	return good_one;
}

TEST(a_readers_rules)
{
	uint8_t w[60] = { 0 };
	struct invoice i;

	start();
	CHECK(decode_with(&i, 0, NULL, 0, false));
	CHECK(!decode_with(&i, 0, NULL, 0, true)); /* B11.tagged_fields.19: neither d nor h */
	CHECK(strstr(why, "no description"));
	CHECK(decode_with(&i, TAG_DESCRIPTION_HASH, w, 52, true));
	CHECK(!decode_with(&i, TAG_DESCRIPTION_HASH, w, 52, false)); /* B11.tagged_fields.19: both */
	CHECK(!decode_with(&i, TAG_DESCRIPTION_HASH, w, 51, true)); /* and one of wrong length is none */
	/* B11.tagged_fields.31: zeros in front of x, c, 9 */
	w[1] = 7;
	CHECK(!decode_with(&i, TAG_EXPIRY, w, 2, false) && strstr(why, "zeros"));
	CHECK(!decode_with(&i, TAG_CLTV, w, 2, false));
	CHECK(!decode_with(&i, TAG_FEATURES, w, 2, false));
	CHECK(decode_with(&i, TAG_EXPIRY, w + 1, 1, false) && i.expiry_s == 7);
	CHECK(decode_with(&i, TAG_CLTV, w + 1, 1, false) && i.min_final_cltv == 7);
	CHECK(decode_with(&i, TAG_FEATURES, w + 1, 1, false));
	CHECK_HEX(i.features, "07");
	/* Numbers that fit nowhere. */
	memset(w, 31, sizeof(w));
	CHECK(!decode_with(&i, TAG_EXPIRY, w, 13, false) && strstr(why, "too large"));
	CHECK(decode_with(&i, TAG_EXPIRY, w, 12, false) && i.expiry_s == (1ull << 60) - 1);
	CHECK(!decode_with(&i, TAG_CLTV, w, 7, false));
	/* Padding that is not zero: 52 words hold four bits more than a hash. */
	CHECK(!decode_with(&i, TAG_SECRET, w, 52, false) && strstr(why, "padded"));
	/* A payee's key that is no point, a route that is not whole, one through no point. */
	memset(w, 0, sizeof(w));
	CHECK(!decode_with(&i, TAG_PAYEE, w, 53, false));
	CHECK(!decode_with(&i, TAG_ROUTE, w, 53, false));
	CHECK(!decode_with(&i, TAG_ROUTE, w, 0, false));
	CHECK(!decode_with(&i, TAG_DESCRIPTION, (const uint8_t[]){ 31, 28 }, 2, false) && strstr(why, "UTF-8"));
	/* B11.tagged_fields.17: unknown versions and impossible programs are skipped */
	memset(w, 0, sizeof(w));
	for (uint8_t version = 0; version < 32; version++) {
		w[0] = version;
		CHECK(decode_with(&i, TAG_FALLBACK, w, 33, false)); /* 20 bytes */
		CHECK_EQ(i.fallback_count, version <= 18);
		CHECK(decode_with(&i, TAG_FALLBACK, w, 3, false)); /* one byte */
		CHECK_EQ(i.fallback_count, 0);
	}
	CHECK(decode_with(&i, TAG_FALLBACK, w, 0, false) && i.fallback_count == 0);
	/* Fields of letters without a meaning are kept as they are. */
	CHECK(decode_with(&i, 2, w, 5, false));
	CHECK(i.unknown_count == 1 && i.unknown[0].letter == 'z' && i.unknown[0].data5.size == 5);
	finish();
}

/* B11.tagged_fields.24: with n, the signature must be that key's, whatever recovery would say. */
TEST(named_payee)
{
	struct invoice i;

	start();
	base(&i);
	i.payee_named = true;
	memcpy(i.payee.v, test_unhex(PAYEE).data, 33);
	CHECK(decode(&i, encode(&i)));
	CHECK(i.payee_named);
	memcpy(i.payee.v, test_unhex("028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7").data, 33);
	CHECK(!decode(&i, encode(&i)) && strstr(why, "payee"));
	finish();
}

TEST(paying)
{
	struct invoice i;
	const char *text;

	start();
	CHECK(decode(&i, good[COFFEE].text));
	CHECK_EQ(invoice_expires_at_s(&i), 1496314658 + 60);
	CHECK(invoice_payable(&arena, &i, &policy, 1496314658 + 60, &why));
	/* B11.payer_payee_requirements.1 */
	CHECK(!invoice_payable(&arena, &i, &policy, 1496314658 + 61, &why) && strstr(why, "expired"));
	i.features = test_unhex("020000"); /* basic_mpp without payment_secret */
	CHECK(!invoice_payable(&arena, &i, &policy, 1496314658, &why)); /* B11.feature_bits.2 */
	CHECK(strstr(why, "basic_mpp") && strstr(why, "payment_secret"));
	i.timestamp_s = UINT64_MAX;
	CHECK_EQ(invoice_expires_at_s(&i), -1ll); /* no wrapping around */

	text = good[COFFEE].text;
	CHECK(invoice_decode(&arena, &i, &why, network_by_name("bitcoin"), bytes_from_string(text)));
	CHECK(!invoice_decode(&arena, &i, &why, network_by_name("regtest"), bytes_from_string(text)));
	CHECK(strstr(why, "network")); /* B11.human_readable_part.6 */
	finish();
}

TEST(schemes_and_tampering)
{
	struct invoice i;
	char text[1024];

	start();
	for (int upper = 0; upper < 2; upper++) {
		strcpy(text, upper ? "LIGHTNING:" : "lightning:");
		strcat(text, good[upper ? UPPER : BEANS].text);
		CHECK(decode(&i, text));
	}
	CHECK(!decode(&i, "lightning:"));
	CHECK(!decode(&i, ""));
	/* Any one letter changed: the checksum sees it. */
	for (size_t k = 0; k < strlen(good[COFFEE].text); k++) {
		strcpy(text, good[COFFEE].text);
		text[k] = text[k] == 'q' ? 'p' : 'q';
		CHECK(!decode(&i, text)); /* B11.encoding_overview.4 */
	}
	/* The same letters with the checksum of BIP 350 are no invoice. */
	{
		struct bech32 b;
		struct buf m = BUF_EMPTY;

		CHECK(bech32_decode(&arena, &b, bytes_from_string(good[COFFEE].text), 1000));
		bech32_encode(&m, b.hrp, b.data, b.count, BECH32M);
		CHECK(!invoice_decode(&arena, &i, &why, NULL, buf_view(&m)));
		buf_release(&m);
	}
	finish();
}
