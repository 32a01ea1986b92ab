/** The modules of spice-html5 that its `src/main.js` reaches, embedded in the program. */
import atKeynames from "@spice-project/spice-html5/src/atKeynames.js" with { type: "text" };
import bitmap from "@spice-project/spice-html5/src/bitmap.js" with { type: "text" };
import cursor from "@spice-project/spice-html5/src/cursor.js" with { type: "text" };
import display from "@spice-project/spice-html5/src/display.js" with { type: "text" };
import enums from "@spice-project/spice-html5/src/enums.js" with { type: "text" };
import filexfer from "@spice-project/spice-html5/src/filexfer.js" with { type: "text" };
import inputs from "@spice-project/spice-html5/src/inputs.js" with { type: "text" };
import lz from "@spice-project/spice-html5/src/lz.js" with { type: "text" };
import main from "@spice-project/spice-html5/src/main.js" with { type: "text" };
import playback from "@spice-project/spice-html5/src/playback.js" with { type: "text" };
import png from "@spice-project/spice-html5/src/png.js" with { type: "text" };
import port from "@spice-project/spice-html5/src/port.js" with { type: "text" };
import quic from "@spice-project/spice-html5/src/quic.js" with { type: "text" };
import resize from "@spice-project/spice-html5/src/resize.js" with { type: "text" };
import simulatecursor from "@spice-project/spice-html5/src/simulatecursor.js" with { type: "text" };
import spiceconn from "@spice-project/spice-html5/src/spiceconn.js" with { type: "text" };
import spicedataview from "@spice-project/spice-html5/src/spicedataview.js" with { type: "text" };
import spicemsg from "@spice-project/spice-html5/src/spicemsg.js" with { type: "text" };
import spicetype from "@spice-project/spice-html5/src/spicetype.js" with { type: "text" };
import thirdpartyJsbn from "@spice-project/spice-html5/src/thirdparty/jsbn.js" with { type: "text" };
import thirdpartyPrng4 from "@spice-project/spice-html5/src/thirdparty/prng4.js" with { type: "text" };
import thirdpartyRng from "@spice-project/spice-html5/src/thirdparty/rng.js" with { type: "text" };
import thirdpartyRsa from "@spice-project/spice-html5/src/thirdparty/rsa.js" with { type: "text" };
import thirdpartySha1 from "@spice-project/spice-html5/src/thirdparty/sha1.js" with { type: "text" };
import ticket from "@spice-project/spice-html5/src/ticket.js" with { type: "text" };
import utils from "@spice-project/spice-html5/src/utils.js" with { type: "text" };
import webm from "@spice-project/spice-html5/src/webm.js" with { type: "text" };
import wire from "@spice-project/spice-html5/src/wire.js" with { type: "text" };

/** By path below the package. */
export const SPICE_FILES: Readonly<Record<string, string>> = {
  "src/atKeynames.js": atKeynames,
  "src/bitmap.js": bitmap,
  "src/cursor.js": cursor,
  "src/display.js": display,
  "src/enums.js": enums,
  "src/filexfer.js": filexfer,
  "src/inputs.js": inputs,
  "src/lz.js": lz,
  "src/main.js": main,
  "src/playback.js": playback,
  "src/png.js": png,
  "src/port.js": port,
  "src/quic.js": quic,
  "src/resize.js": resize,
  "src/simulatecursor.js": simulatecursor,
  "src/spiceconn.js": spiceconn,
  "src/spicedataview.js": spicedataview,
  "src/spicemsg.js": spicemsg,
  "src/spicetype.js": spicetype,
  "src/thirdparty/jsbn.js": thirdpartyJsbn,
  "src/thirdparty/prng4.js": thirdpartyPrng4,
  "src/thirdparty/rng.js": thirdpartyRng,
  "src/thirdparty/rsa.js": thirdpartyRsa,
  "src/thirdparty/sha1.js": thirdpartySha1,
  "src/ticket.js": ticket,
  "src/utils.js": utils,
  "src/webm.js": webm,
  "src/wire.js": wire,
};
