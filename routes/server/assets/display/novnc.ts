/** The modules of noVNC that its `core/rfb.js` reaches, embedded in the program. 1.4.0 is the last release that packages the modules themselves and lets them be imported. */
import base64 from "@novnc/novnc/core/base64.js" with { type: "text" };
import decodersCopyrect from "@novnc/novnc/core/decoders/copyrect.js" with { type: "text" };
import decodersHextile from "@novnc/novnc/core/decoders/hextile.js" with { type: "text" };
import decodersJpeg from "@novnc/novnc/core/decoders/jpeg.js" with { type: "text" };
import decodersRaw from "@novnc/novnc/core/decoders/raw.js" with { type: "text" };
import decodersRre from "@novnc/novnc/core/decoders/rre.js" with { type: "text" };
import decodersTight from "@novnc/novnc/core/decoders/tight.js" with { type: "text" };
import decodersTightpng from "@novnc/novnc/core/decoders/tightpng.js" with { type: "text" };
import decodersZrle from "@novnc/novnc/core/decoders/zrle.js" with { type: "text" };
import deflator from "@novnc/novnc/core/deflator.js" with { type: "text" };
import des from "@novnc/novnc/core/des.js" with { type: "text" };
import display from "@novnc/novnc/core/display.js" with { type: "text" };
import encodings from "@novnc/novnc/core/encodings.js" with { type: "text" };
import inflator from "@novnc/novnc/core/inflator.js" with { type: "text" };
import inputDomkeytable from "@novnc/novnc/core/input/domkeytable.js" with { type: "text" };
import inputFixedkeys from "@novnc/novnc/core/input/fixedkeys.js" with { type: "text" };
import inputGesturehandler from "@novnc/novnc/core/input/gesturehandler.js" with { type: "text" };
import inputKeyboard from "@novnc/novnc/core/input/keyboard.js" with { type: "text" };
import inputKeysym from "@novnc/novnc/core/input/keysym.js" with { type: "text" };
import inputKeysymdef from "@novnc/novnc/core/input/keysymdef.js" with { type: "text" };
import inputUtil from "@novnc/novnc/core/input/util.js" with { type: "text" };
import inputVkeys from "@novnc/novnc/core/input/vkeys.js" with { type: "text" };
import inputXtscancodes from "@novnc/novnc/core/input/xtscancodes.js" with { type: "text" };
import ra2 from "@novnc/novnc/core/ra2.js" with { type: "text" };
import rfb from "@novnc/novnc/core/rfb.js" with { type: "text" };
import utilBrowser from "@novnc/novnc/core/util/browser.js" with { type: "text" };
import utilCursor from "@novnc/novnc/core/util/cursor.js" with { type: "text" };
import utilElement from "@novnc/novnc/core/util/element.js" with { type: "text" };
import utilEvents from "@novnc/novnc/core/util/events.js" with { type: "text" };
import utilEventtarget from "@novnc/novnc/core/util/eventtarget.js" with { type: "text" };
import utilInt from "@novnc/novnc/core/util/int.js" with { type: "text" };
import utilLogging from "@novnc/novnc/core/util/logging.js" with { type: "text" };
import utilMd5 from "@novnc/novnc/core/util/md5.js" with { type: "text" };
import utilStrings from "@novnc/novnc/core/util/strings.js" with { type: "text" };
import websock from "@novnc/novnc/core/websock.js" with { type: "text" };
import vendorPakoUtilsCommon from "@novnc/novnc/vendor/pako/lib/utils/common.js" with { type: "text" };
import vendorPakoZlibAdler32 from "@novnc/novnc/vendor/pako/lib/zlib/adler32.js" with { type: "text" };
import vendorPakoZlibCrc32 from "@novnc/novnc/vendor/pako/lib/zlib/crc32.js" with { type: "text" };
import vendorPakoZlibDeflate from "@novnc/novnc/vendor/pako/lib/zlib/deflate.js" with { type: "text" };
import vendorPakoZlibInffast from "@novnc/novnc/vendor/pako/lib/zlib/inffast.js" with { type: "text" };
import vendorPakoZlibInflate from "@novnc/novnc/vendor/pako/lib/zlib/inflate.js" with { type: "text" };
import vendorPakoZlibInftrees from "@novnc/novnc/vendor/pako/lib/zlib/inftrees.js" with { type: "text" };
import vendorPakoZlibMessages from "@novnc/novnc/vendor/pako/lib/zlib/messages.js" with { type: "text" };
import vendorPakoZlibTrees from "@novnc/novnc/vendor/pako/lib/zlib/trees.js" with { type: "text" };
import vendorPakoZlibZstream from "@novnc/novnc/vendor/pako/lib/zlib/zstream.js" with { type: "text" };

/** By path below the package. */
export const NOVNC_FILES: Readonly<Record<string, string>> = {
  "core/base64.js": base64,
  "core/decoders/copyrect.js": decodersCopyrect,
  "core/decoders/hextile.js": decodersHextile,
  "core/decoders/jpeg.js": decodersJpeg,
  "core/decoders/raw.js": decodersRaw,
  "core/decoders/rre.js": decodersRre,
  "core/decoders/tight.js": decodersTight,
  "core/decoders/tightpng.js": decodersTightpng,
  "core/decoders/zrle.js": decodersZrle,
  "core/deflator.js": deflator,
  "core/des.js": des,
  "core/display.js": display,
  "core/encodings.js": encodings,
  "core/inflator.js": inflator,
  "core/input/domkeytable.js": inputDomkeytable,
  "core/input/fixedkeys.js": inputFixedkeys,
  "core/input/gesturehandler.js": inputGesturehandler,
  "core/input/keyboard.js": inputKeyboard,
  "core/input/keysym.js": inputKeysym,
  "core/input/keysymdef.js": inputKeysymdef,
  "core/input/util.js": inputUtil,
  "core/input/vkeys.js": inputVkeys,
  "core/input/xtscancodes.js": inputXtscancodes,
  "core/ra2.js": ra2,
  "core/rfb.js": rfb,
  "core/util/browser.js": utilBrowser,
  "core/util/cursor.js": utilCursor,
  "core/util/element.js": utilElement,
  "core/util/events.js": utilEvents,
  "core/util/eventtarget.js": utilEventtarget,
  "core/util/int.js": utilInt,
  "core/util/logging.js": utilLogging,
  "core/util/md5.js": utilMd5,
  "core/util/strings.js": utilStrings,
  "core/websock.js": websock,
  "vendor/pako/lib/utils/common.js": vendorPakoUtilsCommon,
  "vendor/pako/lib/zlib/adler32.js": vendorPakoZlibAdler32,
  "vendor/pako/lib/zlib/crc32.js": vendorPakoZlibCrc32,
  "vendor/pako/lib/zlib/deflate.js": vendorPakoZlibDeflate,
  "vendor/pako/lib/zlib/inffast.js": vendorPakoZlibInffast,
  "vendor/pako/lib/zlib/inflate.js": vendorPakoZlibInflate,
  "vendor/pako/lib/zlib/inftrees.js": vendorPakoZlibInftrees,
  "vendor/pako/lib/zlib/messages.js": vendorPakoZlibMessages,
  "vendor/pako/lib/zlib/trees.js": vendorPakoZlibTrees,
  "vendor/pako/lib/zlib/zstream.js": vendorPakoZlibZstream,
};
